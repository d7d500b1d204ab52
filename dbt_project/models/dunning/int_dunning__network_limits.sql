-- How many attempts each card network allows in how many days. A network may have several limits, such as one for a day and one for a month.
select
    tenant_id,
    segment,
    lower({{ json_text('network_limit', 'network') }}) as network,
    list({
        'most': cast({{ json_text('network_limit', 'max') }} as integer),
        'days': cast({{ json_text('network_limit', 'days') }} as integer)
    }) as limits
from (select tenant_id, segment, unnest({{ json_elements('limits') }}) as network_limit from {{ ref('int_dunning__policies') }})
group by tenant_id, segment, lower({{ json_text('network_limit', 'network') }})
