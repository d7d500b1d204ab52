{# The only place where a number is divided or rounded. Twins: ratehouse/money.py.
   Everything is done on scaled integers, because `decimal / anything` is a float in DuckDB. #}

{# A decimal as an exact integer count of 10^-scale; digits beyond the scale must not exist. Whole part and fraction are
   scaled apart, and the fraction of a long scale in two halves, so that nothing overflows on the way. #}
{% macro to_scaled(value, scale) -%}
    (cast(trunc({{ value }}) as hugeint) * {{ 10 ** scale }} + {{ scaled_fraction(value ~ ' - trunc(' ~ value ~ ')', scale) }})
{%- endmacro %}
{% macro scaled_fraction(fraction, scale) -%}
    {%- if scale <= 12 -%}
    cast(({{ fraction }}) * {{ 10 ** scale }} as hugeint)
    {%- else -%}
    {%- set half = scale // 2 -%}
    {%- set first = 'trunc((' ~ fraction ~ ') * ' ~ 10 ** half ~ ')' -%}
    cast({{ first }} as hugeint) * {{ 10 ** (scale - half) }}
    + cast((({{ fraction }}) * {{ 10 ** half }} - {{ first }}) * {{ 10 ** (scale - half) }} as hugeint)
    {%- endif -%}
{%- endmacro %}

{# The inverse of to_scaled: decimal(38, scale). #}
{% macro from_scaled(value, scale) -%}
    (cast({{ value }} // {{ 10 ** scale }} as decimal(38, {{ scale }}))
    + cast({{ value }} % {{ 10 ** scale }} as decimal({{ scale + 1 }}, 0)) * cast('{{ "0." ~ "0" * (scale - 1) ~ "1" }}' as decimal({{ scale + 1 }}, {{ scale }})))
{%- endmacro %}

{# Integer quotient, half away from zero. `denominator` is positive. #}
{% macro divide_half_up(numerator, denominator) -%}
    (sign({{ numerator }}) * ((2 * abs({{ numerator }}) + {{ denominator }}) // (2 * {{ denominator }})))
{%- endmacro %}

{# The type of an unrounded amount: a quantity of ten decimals times a price of twelve has twenty-two. #}
{% macro exact_amount() -%}decimal(38, 22){%- endmacro %}

{# Where a number does not fit, its amount is unknown (null) and its line waits as `amount_overflow`: one absurd quantity must
   not stop every tenant. `try` stands where that may happen; int_rating__unpriced is where it is looked for. #}

{# quantity × price without loss; null where the product does not fit sixteen digits before the point. #}
{% macro multiply_exact(quantity, price) -%}
    try(cast(cast({{ quantity }} as decimal(28, 10)) * cast({{ price }} as decimal(28, 12)) as {{ exact_amount() }}))
{%- endmacro %}

{# An exact total, an aggregate: whole parts and fractions apart, so that it cannot overflow on the way; null where one of
   the numbers is null or the total has more than `digits` before the point. #}
{% macro sum_exact(number, type=none, digits=15) -%}
    case
        when count({{ number }}) = count(*) and abs(sum(cast(trunc({{ number }}) as hugeint))) < {{ 10 ** digits }}
            then cast(cast(sum(cast(trunc({{ number }}) as hugeint)) as {{ type or exact_amount() }}) + sum({{ number }} - trunc({{ number }})) as {{ type or exact_amount() }})
    end
{%- endmacro %}
{% macro sum_exact_area(area) -%}{{ sum_exact(area, 'decimal(38, 10)', 27) }}{%- endmacro %}

{# amount × numerator ÷ denominator at twelve decimals, half away from zero: the one way to prorate.
   numerator, denominator: integers, denominator > 0. A whole share changes nothing. #}
{% macro prorate(amount, numerator, denominator) -%}
    case
        when {{ numerator }} = {{ denominator }} then cast({{ amount }} as {{ exact_amount() }})
        else cast({{ from_scaled(divide_half_up('(' ~ to_scaled('cast(' ~ amount ~ ' as decimal(38, 12))', 12) ~ ' * cast(' ~ numerator ~ ' as hugeint))', 'cast(' ~ denominator ~ ' as hugeint)'), 12) }} as {{ exact_amount() }})
    end
{%- endmacro %}

{# A decimal(38,10) ÷ a positive integer, rounded half up to ten decimals: averages and time-weighted quantities. #}
{% macro divide_by_integer(numerator, denominator) -%}
    {{ from_scaled(divide_half_up(to_scaled('cast(' ~ numerator ~ ' as decimal(38, 10))', 10), 'cast(' ~ denominator ~ ' as hugeint)'), 10) }}
{%- endmacro %}

{# 10^n as an integer for a column n between 0 and 22. #}
{% macro power_of_ten(n) -%}
    list_extract([{% for i in range(23) %}cast({{ 10 ** i }} as hugeint){{ ", " if not loop.last }}{% endfor %}], cast({{ n }} as integer) + 1)
{%- endmacro %}

{# A scaled integer rounded to a multiple of `quantum` (a positive integer) in one of the modes of the price book:
   half_up (half away from zero), half_even, up (away from zero), down (toward zero). #}
{% macro round_to_quantum(scaled, quantum, mode) -%}
    ({{ quantum }} * (
        {{ scaled }} // {{ quantum }}
        + sign({{ scaled }}) * case
            when {{ scaled }} % {{ quantum }} = 0 then 0
            when {{ mode }} = 'up' then 1
            when {{ mode }} = 'down' then 0
            when 2 * abs({{ scaled }} % {{ quantum }}) > {{ quantum }} then 1
            when 2 * abs({{ scaled }} % {{ quantum }}) < {{ quantum }} then 0
            when {{ mode }} = 'half_up' then 1
            else abs(({{ scaled }} // {{ quantum }}) % 2)
        end
    ))
{%- endmacro %}

{# Money of a currency with `minor_digits` decimals (those of ISO 4217: 0, 2, 3 or 4) out of an exact amount: decimal(20,4). #}
{% macro round_money(amount, minor_digits, mode) -%}
    case {{ minor_digits }}
        {%- for digits in (2, 0, 3, 4) %} when {{ digits }} then {{ round_at(amount, digits, mode) }}{% endfor %}
    end
{%- endmacro %}

{# A decimal(38,22) rounded to a constant number of decimals: decimal(20,4). `round` is half away from zero on every engine and
   exact; the other modes are that one, moved: by half a unit toward or (short of the smallest step) away from zero, and a
   half that fell on an odd unit back by one. #}
{% macro round_at(amount, digits, mode) -%}
    {%- set unit = "cast(1 as decimal(5, 4))" if digits == 0 else "cast('0." ~ "0" * (digits - 1) ~ "1' as decimal(5, 4))" -%}
    {%- set half = "cast('0." ~ "0" * digits ~ "5' as decimal(6, 5))" -%}
    {%- set smallest = "cast('0." ~ "0" * 21 ~ "1' as decimal(22, 22))" -%}
    cast(case {{ mode }}
        when 'half_up' then round({{ amount }}, {{ digits }})
        when 'down' then cast(sign({{ amount }}) as decimal(1, 0)) * round(abs({{ amount }}) - {{ half }}, {{ digits }})
        when 'up' then cast(sign({{ amount }}) as decimal(1, 0)) * round(abs({{ amount }}) + {{ half }} - {{ smallest }}, {{ digits }})
        else round({{ amount }}, {{ digits }}) - case
            when abs(round({{ amount }}, {{ digits }}) - {{ amount }}) = {{ half }} and cast(round({{ amount }}, {{ digits }}) * {{ 10 ** digits }} as hugeint) % 2 <> 0
                then cast(sign({{ amount }}) as decimal(1, 0)) * {{ unit }}
            else 0
        end
    end as decimal(20, 4))
{%- endmacro %}

{# A quantity rounded to `digits` decimals (negative: tens, hundreds, …): decimal(28,10). #}
{% macro round_quantity(quantity, digits, mode) -%}
    cast({{ from_scaled(round_to_quantum(to_scaled('cast(' ~ quantity ~ ' as decimal(38, 10))', 10), power_of_ten('10 - ' ~ digits), mode), 10) }} as decimal(28, 10))
{%- endmacro %}

{# Money as an integer count of its currency's minor units, in which totals are split, and back to decimal(20,4). #}
{% macro to_minor(amount, minor_digits) -%}
    {{ divide_half_up(to_scaled('cast(' ~ amount ~ ' as decimal(38, 12))', 12), power_of_ten('12 - ' ~ minor_digits)) }}
{%- endmacro %}
{% macro from_minor(minor, minor_digits) -%}
    cast(cast(({{ minor }}) * {{ power_of_ten('4 - ' ~ minor_digits) }} as decimal(20, 0)) * cast('0.0001' as decimal(4, 4)) as decimal(20, 4))
{%- endmacro %}

{# The same as to_minor for a column of type decimal(20,4). An engine divides in 64 bits many times faster than in 128, so what fits there is
   divided there. #}
{% macro money_to_minor(money, minor_digits) -%}
    {%- set units = 'cast(cast(' ~ money ~ ' as decimal(13, 4)) * 10000 as bigint)' -%}
    {%- set unit = 'cast(' ~ power_of_ten('4 - ' ~ minor_digits) ~ ' as bigint)' -%}
    case
        when abs({{ money }}) < {{ 10 ** 9 }} then cast({{ divide_half_up(units, unit) }} as hugeint)
        else {{ to_minor(money, minor_digits) }}
    end
{%- endmacro %}

{# amount × numerator ÷ denominator of columns: an amount in minor units (hugeint), a share of it (two bigints, of which the second is positive and
   the larger). In 64 bits where it fits, for the same reason. #}
{% macro share_of_minor(amount, numerator, denominator) -%}
    case
        when abs({{ amount }}) * {{ denominator }} < {{ 10 ** 18 }}
            then cast({{ divide_half_up('(cast(' ~ amount ~ ' as bigint) * ' ~ numerator ~ ')', denominator) }} as hugeint)
        else {{ divide_half_up('(' ~ amount ~ ' * ' ~ numerator ~ ')', denominator) }}
    end
{%- endmacro %}
