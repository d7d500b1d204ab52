-- What the states were made from, taken down after they were: the customer marks of this build.
-- depends_on: {{ ref('int_metering__states') }}
select * from {{ ref('int_metering__customer_marks') }}
