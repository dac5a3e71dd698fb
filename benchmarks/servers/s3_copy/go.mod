module pilotlight/benchmarks/s3_copy

go 1.21
