"""Broker time: clocks of brokers, their time zones, and UTC."""
