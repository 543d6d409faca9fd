"""`gatewright serve`: takes webhooks, starts promotions, tells applications what is live, and shows people why."""
