-- Who a process is to MariaDB: nobody without a certificate of our authority, and no password.
-- One database, and of it all that the numbered steps of the schema need.
CREATE USER IF NOT EXISTS wallet@'%' REQUIRE ISSUER '/CN=Lingqian authority';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON lingqian.* TO wallet@'%';
