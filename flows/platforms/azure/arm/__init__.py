"""Azure's control plane over HTTP: requests with our own retrying, long operations, and its documents, typed."""
