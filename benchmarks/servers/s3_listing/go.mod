module pilotlight/benchmarks/s3_listing

go 1.21
