"""Operations that configure an existing schema for where it is deployed; all can be run again.

`set_replica_identity` prepares tables for change data capture. Rights of roles: `Schema.grant`.
"""

from djflow.tables.deployment import set_replica_identity

__all__ = ["set_replica_identity"]
