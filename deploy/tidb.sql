-- Before the first table: checks of columns are made, and the next commit sees this one.
SET GLOBAL tidb_enable_check_constraint = ON;
SET GLOBAL tidb_guarantee_linearizability = ON;
CREATE DATABASE IF NOT EXISTS lingqian CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER IF NOT EXISTS wallet@'%' REQUIRE ISSUER '/CN=Lingqian authority';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON lingqian.* TO wallet@'%';
