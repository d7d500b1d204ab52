-- As known by known_as_of; a later row about the same statement supersedes.
with

bank_statements as (

    select * from {{ source('raw', 'bank_statements') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

select bank_statements.* exclude (source, batch_id)
from bank_statements
inner join clocks on bank_statements.tenant_id = clocks.tenant_id
where bank_statements.recorded_at <= clocks.known_as_of
qualify row_number() over (
    partition by bank_statements.tenant_id, bank_statements.statement_id order by bank_statements.recorded_at desc, bank_statements.batch_id desc
) = 1
