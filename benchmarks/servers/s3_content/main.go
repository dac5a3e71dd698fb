// A synthetic S3 that serves ranges of objects whose bytes it computes, with the checksums that S3 would keep of them.
//
// Keys: crc64/N has a CRC64NVME of all bytes, sha256/N a SHA-256 of the SHA-256 of its parts, torn/N is crc64/N with one
// bit of its middle turned over. The bytes repeat every PERIOD bytes, a prime, so that no two ranges are alike; object N
// begins at the Nth of them. -rate is of each connection; S3's is 85 to 90 MB/s (S3 User Guide, "Performance guidelines").
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"fmt"
	"hash/crc64"
	"log"
	"math/rand"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	period      = 4194301
	burst       = 256 << 10
	polynomial  = 0x9a6c9329ac4bc9b5 // CRC-64/NVME, reflected: NVM Express NVM Command Set Specification, 5.2.1.3.4
	kindCRC64   = "crc64"
	kindSHA256  = "sha256"
	kindTorn    = "torn"
	entityTag   = `"0123456789abcdef0123456789abcdef-2"`
	whenWritten = "Mon, 01 Jan 2024 00:00:00 GMT"
)

var (
	size, part int64
	objects    int
	pattern    []byte
	checksums  sync.Map
	rate       float64
)

// span calls with the bytes of object n from begin to end (exclusive), piece by piece.
func span(n int, begin, end int64, take func([]byte) error) error {
	for at := begin; at < end; {
		from := (at + int64(n)) % period
		until := min(int64(period), from+end-at)
		if err := take(pattern[from:until]); err != nil {
			return err
		}
		at += until - from
	}
	return nil
}

type kept struct {
	whole string
	parts []string
}

func checksum(kind string, n int) kept {
	key := fmt.Sprintf("%s/%d", kind, n)
	if found, ok := checksums.Load(key); ok {
		return found.(kept)
	}
	var made kept
	if kind == kindSHA256 {
		all := sha256.New()
		for begin := int64(0); begin < size; begin += part {
			one := sha256.New()
			span(n, begin, min(size, begin+part), func(piece []byte) error { one.Write(piece); return nil })
			sum := one.Sum(nil)
			all.Write(sum)
			made.parts = append(made.parts, base64.StdEncoding.EncodeToString(sum))
		}
		made.whole = fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(all.Sum(nil)), len(made.parts))
	} else {
		table, sum := crc64.MakeTable(polynomial), uint64(0)
		span(n, 0, size, func(piece []byte) error { sum = crc64.Update(sum, table, piece); return nil })
		made.whole = base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, sum))
	}
	checksums.Store(key, made)
	return made
}

func list(w http.ResponseWriter, prefix string) {
	var out strings.Builder
	out.WriteString(`<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>`)
	for n := 0; n < objects; n++ {
		fmt.Fprintf(&out, "<Contents><Key>%s%d</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>%s</ETag><Size>%d</Size></Contents>", prefix, n, strings.ReplaceAll(entityTag, `"`, "&quot;"), size)
	}
	out.WriteString("</ListBucketResult>")
	w.Header().Set("Content-Type", "application/xml")
	w.Write([]byte(out.String()))
}

func serve(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if key == "" {
		list(w, query.Get("prefix"))
		return
	}
	kind, number, _ := strings.Cut(key, "/")
	n, err := strconv.Atoi(number)
	if err != nil {
		http.Error(w, "<Error><Code>NoSuchKey</Code></Error>", http.StatusNotFound)
		return
	}
	begin, end, status := int64(0), size, http.StatusOK
	if ranged := r.Header.Get("Range"); ranged != "" {
		first, last, _ := strings.Cut(strings.TrimPrefix(ranged, "bytes="), "-")
		begin, _ = strconv.ParseInt(first, 10, 64)
		if last != "" {
			end, _ = strconv.ParseInt(last, 10, 64)
			end = min(end+1, size)
		}
		status = http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", begin, end-1, size))
	} else if kind == kindSHA256 {
		w.Header().Set("x-amz-checksum-type", "COMPOSITE")
		w.Header().Set("x-amz-checksum-sha256", checksum(kind, n).whole)
	} else {
		w.Header().Set("x-amz-checksum-type", "FULL_OBJECT")
		w.Header().Set("x-amz-checksum-crc64nvme", checksum(kindCRC64, n).whole)
	}
	if number, err := strconv.ParseInt(query.Get("partNumber"), 10, 64); err == nil && kind == kindSHA256 {
		begin, end = (number-1)*part, min(size, number*part)
		w.Header().Set("x-amz-mp-parts-count", strconv.FormatInt((size+part-1)/part, 10))
	}
	w.Header().Set("Accept-Ranges", "bytes")
	w.Header().Set("Content-Type", "binary/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(end-begin, 10))
	w.Header().Set("ETag", entityTag)
	w.Header().Set("Last-Modified", whenWritten)
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	at, started := begin, time.Now()
	span(n, begin, end, func(piece []byte) error {
		if middle := size / 2; kind == kindTorn && at <= middle && middle < at+int64(len(piece)) {
			piece = append([]byte(nil), piece...)
			piece[middle-at] ^= 1
		}
		for len(piece) > 0 {
			now := piece
			if rate > 0 {
				now = piece[:min(len(piece), burst)]
				due := started.Add(time.Duration(float64(at-begin) / rate * 1e9))
				time.Sleep(time.Until(due))
			}
			if _, err := w.Write(now); err != nil {
				return err
			}
			at += int64(len(now))
			piece = piece[len(now):]
		}
		return nil
	})
}

func main() {
	address := flag.String("addr", "127.0.0.1:9126", "where it listens")
	flag.Int64Var(&size, "size", 256<<20, "bytes of an object")
	flag.Int64Var(&part, "part", 8<<20, "bytes of a part of sha256/N")
	flag.Float64Var(&rate, "rate", 0, "bytes a second of each connection; 0: no limit")
	flag.IntVar(&objects, "n", 4, "objects of each kind that a listing names")
	flag.Parse()
	pattern = make([]byte, period)
	rand.New(rand.NewSource(1)).Read(pattern)
	for n := 0; n < objects; n++ {
		checksum(kindCRC64, n)
		checksum(kindSHA256, n)
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	log.Fatal(http.Serve(listener, http.HandlerFunc(serve)))
}
