-- What is not invoiced yet: what the next run would issue (due) and what runs up in the open periods (running).
select
    currency,
    standing,
    coalesce(charge_description, charge) as charge,
    count(distinct customer_id) as customers,
    sum(amount) as amount
from marts.upcoming_invoice_lines
where tenant_id = $tenant
group by all
order by amount desc, charge
