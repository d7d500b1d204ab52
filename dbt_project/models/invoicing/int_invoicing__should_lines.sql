-- What should have been billed by now: the charges owed, and what coupons take off them as lines of their own.
{{ config(materialized='view') }}

select
    *,
    cast(null as varchar) as coupon,
    '' as discount_id
from {{ ref('int_invoicing__should_charges') }}
union all by name
select * from {{ ref('int_discounts__should_discounts') }}
