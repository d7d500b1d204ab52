-- As known by known_as_of; a later row about the same bank line supersedes.
with

bank_lines as (

    select * from {{ source('raw', 'bank_lines') }}

),

clocks as (

    select * from {{ ref('stg_ratehouse__tenant_clocks') }}

)

select bank_lines.* exclude (source, batch_id)
from bank_lines
inner join clocks on bank_lines.tenant_id = clocks.tenant_id
where bank_lines.recorded_at <= clocks.known_as_of
qualify row_number() over (
    partition by bank_lines.tenant_id, bank_lines.bank_line_id order by bank_lines.recorded_at desc, bank_lines.batch_id desc
) = 1
