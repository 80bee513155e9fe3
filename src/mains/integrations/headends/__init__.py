"""Head-ends: readings that meters and their collectors push over MQTT, and that are pulled from meters over DLMS/COSEM."""
