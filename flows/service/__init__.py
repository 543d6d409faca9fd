"""`gatewright serve`: takes webhooks, starts promotions, tells applications what is live, and shows people why.

In: HTTP requests. Out: messages in the registry's inbox (durable before they are acknowledged), live pointers, pages.
Begin with `app`; `webhooks` receives, `dispatcher/` works through the inbox, `pages/` is for people, `live` for
applications, `security` says who may come in.
"""
