"""Tax providers: what they say about documents that are due, and what they are told about those that were issued.

`provider` is the one interface of `avalara` and `taxjar`; `dispatch` asks what SQL wants to know and lands the
answers, `outbox` remembers what a provider was told. SQL decides what is asked, reads the answers and keeps a
document back until there is one.

Asking changes nothing at a provider, so a question may be asked as often as it takes; its answer is landed under the
hash of the question. Telling is done under a code that follows from the document, and the provider is asked for that
code first: a transaction is recorded once, whatever is lost on the way.
"""
