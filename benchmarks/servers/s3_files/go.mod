module pilotlight/benchmarks/s3_files

go 1.21
