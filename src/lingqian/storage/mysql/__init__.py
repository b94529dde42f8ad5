"""The MySQL protocol: the lane on MariaDB, MySQL and TiDB, through PyMySQL (MySQL 协议存储)."""
