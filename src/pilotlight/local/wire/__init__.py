"""HTTP below the services: sockets, requests read as operations, AWS's front line, moto's own applications."""
