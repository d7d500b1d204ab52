{# Whether a certificate covers what a customer buys: in its country (and region), of its codes, on a day on which it holds. #}
{% macro certificate_covers(certificates, country, region, tax_code, tax_on) -%}
(
    {{ certificates }}.country = {{ country }}
    and ({{ certificates }}.region is null or {{ certificates }}.region = {{ region }})
    and ({{ certificates }}.tax_codes is null or list_contains({{ certificates }}.tax_codes, {{ tax_code }}))
    and {{ tax_on }} >= {{ certificates }}.valid_from
    and {{ tax_on }} < {{ certificates }}.holds_until
)
{%- endmacro %}

{# Of several certificates that cover a line, the one for the narrower place, then the one that holds longest. #}
{% macro best_certificate(certificates) -%}
{{ certificates }}.region is null, {{ certificates }}.tax_codes is null, {{ certificates }}.holds_until desc, {{ certificates }}.certificate_id
{%- endmacro %}
