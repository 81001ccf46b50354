insert into regions (code, name) values
  ('BR', 'Brazil'), ('DE', 'Germany'), ('IN', 'India'), ('JP', 'Japan'), ('US', 'United States');

insert into categories (id, slug, name) values
  (1, 'education', 'Education'), (2, 'gaming', 'Gaming'), (3, 'music', 'Music'), (4, 'science', 'Science & technology');

-- Invented channels: the numbers are plausible, the names are nobody's.
insert into channels (name, region_code, category_id, subscribers, videos, views) values
  ('Aula Aberta',         'BR', 1,  2140000,  812,   301450000),
  ('Fase Secreta',        'BR', 2,  5310000, 2460,  1248800000),
  ('Samba de Sala',       'BR', 3,  8720000,  390,  4120400000),
  ('Laboratório Vivo',    'BR', 4,   940000,  265,    88300000),
  ('Lernwerkstatt',       'DE', 1,  1380000, 1104,   240900000),
  ('Pixelkeller',         'DE', 2,  2650000, 3012,   905700000),
  ('Klangfenster',        'DE', 3,  1120000,  448,   410250000),
  ('Kurz & Kosmisch',     'DE', 4,  4060000,  340,   702100000),
  ('Gyan Ghar',           'IN', 1, 12400000, 4210,  2904500000),
  ('Khel Nagar',          'IN', 2,  9870000, 3105,  2011300000),
  ('Sur Sangam',          'IN', 3, 31500000, 1290, 18402000000),
  ('Vigyan Ki Baat',      'IN', 4,  6230000,  905,   980600000),
  ('Manabi no Mori',      'JP', 1,  1790000,  730,   265000000),
  ('Yoru no Gēmu',        'JP', 2,  4480000, 2870,  1630900000),
  ('Oto Biyori',          'JP', 3,  6140000,  512,  3015700000),
  ('Kagaku Jikken',       'JP', 4,  1030000,  318,   142800000),
  ('Chalk & Cheddar',     'US', 1,  7350000,  955,  1120700000),
  ('Second Controller',   'US', 2, 14200000, 4105,  5240100000),
  ('Porch Session Radio', 'US', 3, 19800000,  684,  9870300000),
  ('Bench Vise Physics',  'US', 4,  8910000,  402,  1455200000),
  ('Night Shift Maths',   'US', 1,  3260000,  511,   418600000),
  ('Solder & Signal',     'US', 4,  2470000,  620,   360900000);
