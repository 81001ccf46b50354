create table regions (
  code char(2)     not null primary key,
  name varchar(64) not null
);

create table categories (
  id   smallint unsigned not null primary key,
  slug varchar(32)       not null unique,
  name varchar(64)       not null
);

create table channels (
  id          int unsigned      not null auto_increment primary key,
  name        varchar(96)       not null,
  region_code char(2)           not null,
  category_id smallint unsigned not null,
  subscribers int unsigned      not null,
  videos      int unsigned      not null,
  views       bigint unsigned   not null,
  foreign key (region_code) references regions (code),
  foreign key (category_id) references categories (id),
  unique (name)
);

-- What the api shows: one row per region and category.
create view statistics as
  select region_code, category_id,
         count(*)         as channels,
         sum(subscribers) as subscribers,
         sum(videos)      as videos,
         sum(views)       as views
    from channels
   group by region_code, category_id;
