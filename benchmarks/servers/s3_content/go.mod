module pilotlight/benchmarks/s3_content

go 1.21
