-- What the tables of contracts were made from, taken down after they were: the marks of this build.
-- depends_on: {{ ref('int_revenue__invoice_lines') }}
-- depends_on: {{ ref('int_revenue__items') }}
-- depends_on: {{ ref('int_revenue__usage') }}
-- depends_on: {{ ref('int_revenue__known_contracts') }}
-- depends_on: {{ ref('int_revenue__month_ends') }}
-- depends_on: {{ ref('int_revenue__line_schedules') }}
-- depends_on: {{ ref('int_revenue__billing') }}
-- depends_on: {{ ref('int_revenue__earned') }}
-- depends_on: {{ ref('int_revenue__settled') }}
-- depends_on: {{ ref('int_revenue__positions') }}
-- depends_on: {{ ref('int_revenue__balances') }}
-- depends_on: {{ ref('revenue_by_period') }}
-- depends_on: {{ ref('deferred_revenue_rollforward') }}
{{ config(tags=['marks']) }}
select * from {{ ref('int_revenue__contract_marks') }}
