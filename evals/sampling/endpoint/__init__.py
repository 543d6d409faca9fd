"""Speaks to a model's endpoint: chat completions or the Responses API, of Azure OpenAI, OpenAI or a compatible server.

In: a question and a connection. Out: bytes to send, and what the answer means. No retries and no rate limit. Begin with
`classify`, which gives every HTTP answer its class; `request_body` writes requests, `transport` sends them.
"""
