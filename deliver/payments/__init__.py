"""Charges and refunds through payment gateways, each made once.

`attempts` says what is due and what became of it, `gateway` is the one interface of `stripe_gateway` and `braintree_gateway`,
`dispatch` puts them together. Everything that happens is a fact of the streams `payments` and `refunds`.

Before the request that moves money the claim is landed: the payment, with its identity at the gateway, in the state
`unknown`. After the answer comes the result. So a process that dies before the claim has charged nothing and is
simply run again; one that dies after it, or waits in vain, leaves a payment of which nobody knows, which holds
everything else about its invoice. The gateway is asked after five minutes, an hour and a day. Only when it says that
nothing was charged, and nothing can be any more, is the charge tried again.
"""
