"""Documents by e-mail, each to each billing contact once.

`outbox` queues messages and says in which state they are, `message` words them, `transport` hands them over,
`dispatch` puts the three together, `reports` reads what comes back. Everything that happened to a message is a
fact of the stream `deliveries` in the lake, so that any process on any machine can go on where another
stopped.

The server takes responsibility for a message when it has the final dot. Immediately before that dot the sender
creates the claim of the message, a file that exists once whoever tries; immediately after the answer it
lands the result. So a process that dies before the claim has delivered nothing and is simply run again; one that
dies after it leaves a claim without a result: `unknown`, never sent again by itself, settled by a delivery
report or by a person.
"""
