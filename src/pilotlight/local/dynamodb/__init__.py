"""DynamoDB: what moto lacks of it."""
