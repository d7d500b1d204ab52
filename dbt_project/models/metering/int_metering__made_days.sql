-- What the states were made from, taken down after they were: the day marks of this build.
-- depends_on: {{ ref('int_metering__states') }}
-- depends_on: {{ ref('int_metering__received') }}
select * from {{ ref('int_metering__day_marks') }}
