-- What a customer owes and gave, in the order in which it happened: documents, money, credit drawn from grants that no note made, voids,
-- what was given up, taxes that the customer kept and money that is another legal entity's. A credit note counts when it is issued, wherever its value goes. Days are the customer's.
with

tenants as (

    select * from {{ ref('stg_ratehouse__tenants') }}

),

documents as (

    select * from {{ ref('stg_ratehouse__issued_invoices') }}

),

customers as (

    select * from {{ ref('int_subscriptions__customers') }}

),

payers as (

    select
        tenant_id,
        payment_id,
        min(account_id) as customer_id,
        min(currency) as currency
    from {{ ref('int_payments__references') }}
    group by tenant_id, payment_id

),

notes as (

    select
        tenant_id,
        invoice_number
    from documents
    where kind = 'credit_note'

),

moved as (

    select
        tenant_id,
        customer_id,
        currency,
        kind || ':' || invoice_id as movement_id,
        issued_at as moved_at,
        bill_date as moved_on,
        kind,
        case kind when 'invoice' then 0 else 1 end as place,
        invoice_id,
        invoice_number,
        due_on,
        cast(null as varchar) as payment_id,
        total as amount
    from documents
    union all by name
    select
        draws.tenant_id,
        documents.customer_id,
        draws.currency,
        'credit:' || draws.grant_id || ':' || draws.invoice_id as movement_id,
        draws.issued_at as moved_at,
        documents.bill_date as moved_on,
        'credit' as kind,
        2 as place,
        draws.invoice_id,
        documents.invoice_number,
        -draws.amount as amount
    from {{ ref('stg_ratehouse__credit_draws') }} as draws
    inner join documents
        on
            draws.tenant_id = documents.tenant_id
            and draws.invoice_id = documents.invoice_id
    left join notes
        on
            draws.tenant_id = notes.tenant_id
            and draws.grant_id = notes.invoice_number
    where notes.invoice_number is null
    union all by name
    select
        flows.tenant_id,
        payers.customer_id,
        payers.currency,
        flows.source_type || ':' || flows.flow_id as movement_id,
        flows.flowed_at as moved_at,
        {{ local_date('flows.flowed_at', 'coalesce(customers.timezone, tenants.timezone)') }} as moved_on,
        flows.source_type as kind,
        3 as place,
        flows.payment_id,
        -flows.amount as amount
    from {{ ref('int_payments__flows') }} as flows
    inner join tenants on flows.tenant_id = tenants.tenant_id
    inner join payers
        on
            flows.tenant_id = payers.tenant_id
            and flows.payment_id = payers.payment_id
    left join customers
        on
            payers.tenant_id = customers.tenant_id
            and payers.customer_id = customers.customer_id
    union all by name
    select
        postings.tenant_id,
        documents.customer_id,
        documents.currency,
        'void:' || postings.invoice_id || ':' || postings.movement_no as movement_id,
        postings.moved_at,
        {{ local_date('postings.moved_at', 'documents.timezone') }} as moved_on,
        'void' as kind,
        4 as place,
        postings.invoice_id,
        documents.invoice_number,
        -postings.amount as amount
    from {{ ref('int_payments__postings') }} as postings
    inner join documents
        on
            postings.tenant_id = documents.tenant_id
            and postings.invoice_id = documents.invoice_id
    where postings.kind in ('voided', 'released') and postings.amount > 0
    union all by name
    -- Money that is another legal entity's is none of this account.
    select
        postings.tenant_id,
        payers.customer_id,
        payers.currency,
        concat_ws(':', 'intercompany', postings.payment_id, postings.movement_no) as movement_id,
        postings.moved_at,
        {{ local_date('postings.moved_at', 'coalesce(customers.timezone, tenants.timezone)') }} as moved_on,
        'intercompany' as kind,
        5 as place,
        postings.payment_id,
        case postings.kind when 'held' then postings.amount else -postings.amount end as amount
    from {{ ref('int_payments__ordered_postings') }} as postings
    inner join tenants on postings.tenant_id = tenants.tenant_id
    inner join payers
        on
            postings.tenant_id = payers.tenant_id
            and postings.payment_id = payers.payment_id
    left join customers
        on
            payers.tenant_id = customers.tenant_id
            and payers.customer_id = customers.customer_id
    where postings.kind in ('held', 'freed', 'returned_from_held')
    union all by name
    select
        given_up.tenant_id,
        documents.customer_id,
        documents.currency,
        concat_ws(':', 'write_off', given_up.invoice_id, given_up.reason, given_up.change_no) as movement_id,
        given_up.moved_at,
        {{ local_date('given_up.moved_at', 'documents.timezone') }} as moved_on,
        'write_off' as kind,
        5 as place,
        given_up.invoice_id,
        documents.invoice_number,
        -given_up.amount as amount
    from (
        select
            *,
            row_number() over (partition by tenant_id, invoice_id, reason order by moved_at) as change_no
        from {{ ref('int_payments__given_up') }}
    ) as given_up
    inner join documents
        on
            given_up.tenant_id = documents.tenant_id
            and given_up.invoice_id = documents.invoice_id
    union all by name
    select
        withholdings.tenant_id,
        documents.customer_id,
        documents.currency,
        concat_ws(':', 'withholding', withholdings.invoice_id, withholdings.change_no) as movement_id,
        withholdings.moved_at,
        {{ local_date('withholdings.moved_at', 'documents.timezone') }} as moved_on,
        'withholding' as kind,
        5 as place,
        withholdings.invoice_id,
        documents.invoice_number,
        -withholdings.withheld_change as amount
    from (
        select
            *,
            row_number() over (partition by tenant_id, invoice_id order by moved_at) as change_no
        from {{ ref('int_payments__withholdings') }}
        where withheld_change <> 0
    ) as withholdings
    inner join documents
        on
            withholdings.tenant_id = documents.tenant_id
            and withholdings.invoice_id = documents.invoice_id

)

select
    tenant_id,
    customer_id,
    currency,
    movement_id,
    row_number() over in_order as movement_no,
    moved_on,
    moved_at,
    kind,
    invoice_id,
    invoice_number,
    due_on,
    payment_id,
    cast(amount as decimal(20, 4)) as amount,
    cast(sum(amount) over in_order as decimal(20, 4)) as balance
from moved
where customer_id is not null
window
    in_order as (
        partition by tenant_id, customer_id, currency order by moved_on, moved_at, place, invoice_number, movement_id
        rows between unbounded preceding and current row
    )
