"""The embedded platform: Azure OpenAI and OpenAI emulated on loopback, with small models that are really trained.

HTTP requests come in, the services' responses and signed webhooks go out; everything lies in one state folder. Begin with
`app`, the table of all addresses. A request passes `gateway/` and is answered by `control_plane/`, `fine_tuning/` or
`inference/`, which keep their documents in `state/`. `switches` holds every uncertain or unkind behaviour, `admin` the
emulator's own addresses, `server` starts it in a process or in a test.
"""
