-- Where a contract stood at each month end.
select
    period,
    billed,
    recognised,
    contract_liability,
    contract_asset,
    refund_liability,
    receivable,
    billed - recognised - contract_liability - refund_liability + contract_asset as difference,
    currency
from marts.contract_balances
where tenant_id = $tenant and contract_id = $contract
order by period desc
