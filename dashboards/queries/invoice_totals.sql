-- How many documents pass the filters of `invoices`, and what they come to in each currency.
select
    currency,
    count(*) as documents,
    sum(total) as total
from marts.invoices
where
    tenant_id = $tenant
    and ($month is null or date_trunc('month', bill_date) = $month)
    and ($customer is null or customer_id = $customer)
    and ($status is null or status = $status)
    and ($currency is null or currency = $currency)
    and ($kind is null or kind = $kind)
    and ($run is null or run_key = $run)
    and ($search is null or contains(lower(invoice_number), lower($search)))
group by currency
order by currency
