"""What every Mailroom service stands on: settings, consume loop, producer, blobs, sealing, health, logs."""
