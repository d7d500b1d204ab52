-- From MRR to the revenue posted, step by step.
select
    period,
    step_no,
    step,
    sum(amount) as amount,
    count(*) as customers
from marts.mrr_to_gaap
where tenant_id = $tenant and currency = $currency
group by period, step_no, step
order by period, step_no
