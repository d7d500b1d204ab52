-- Identity 10, at the level of accounts. What the journal has on an account that contracts move is what they say, at every month end. Fails when an entry
-- reaches such an account and no contract.
select * from {{ ref('ledger_tie_out') }}
where difference <> 0
