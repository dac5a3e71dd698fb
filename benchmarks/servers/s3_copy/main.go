// An S3 that lists, and copies from src to dst: so many a second for each prefix, then SlowDown, as S3 does.
// S3 User Guide, "Best practices design patterns: optimizing Amazon S3 performance": 3,500 writes a second and prefix.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const etag = "cfcd208495d565ef66e7dff9f98764da"

var (
	number  = flag.Int("n", 100000, "objects of src")
	limit   = flag.Float64("limit", 3500, "copies a second and prefix")
	latency = flag.Duration("lat", 0, "of each answer")
	address = flag.String("addr", "127.0.0.1:9125", "")
	copies  int64
	slowed  int64
	first   atomic.Int64
	last    atomic.Int64
	mutex   sync.Mutex
	copied  = map[string]bool{}
	tokens  float64
	filled  = time.Now()
)

func key(i int) string { return fmt.Sprintf("data/%07d", i) }

func take() bool {
	mutex.Lock()
	defer mutex.Unlock()
	now := time.Now()
	tokens = min(*limit/10, tokens+now.Sub(filled).Seconds()**limit)
	filled = now
	if tokens < 1 {
		return false
	}
	tokens--
	return true
}

func put(w http.ResponseWriter, name string) {
	if !take() {
		atomic.AddInt64(&slowed, 1)
		w.WriteHeader(503)
		fmt.Fprint(w, `<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`)
		return
	}
	mutex.Lock()
	copied[name] = true
	mutex.Unlock()
	atomic.AddInt64(&copies, 1)
	first.CompareAndSwap(0, time.Now().UnixNano())
	last.Store(time.Now().UnixNano())
	fmt.Fprintf(w, `<?xml version="1.0"?><CopyObjectResult><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"%s"</ETag></CopyObjectResult>`, etag)
}

func keys(bucket string) []string {
	found := []string{}
	if bucket == "src" {
		for i := 0; i < *number; i++ {
			found = append(found, key(i))
		}
		return found
	}
	mutex.Lock()
	defer mutex.Unlock()
	for each := range copied {
		found = append(found, each)
	}
	sort.Strings(found)
	return found
}

var sources []string

func list(w http.ResponseWriter, bucket string, asked url.Values) {
	found := sources
	if bucket != "src" {
		found = keys(bucket)
	}
	_, versions := asked["versions"]
	after := asked.Get("key-marker") + asked.Get("start-after") + asked.Get("continuation-token")
	begin := sort.SearchStrings(found, after)
	if begin < len(found) && found[begin] == after {
		begin++
	}
	end := min(begin+1000, len(found))
	name, entry := "ListBucketResult", "Contents"
	if versions {
		name, entry = "ListVersionsResult", "Version"
	}
	var told bytes.Buffer
	fmt.Fprintf(&told, `<?xml version="1.0" encoding="UTF-8"?><%s><Name>%s</Name><IsTruncated>%v</IsTruncated>`, name, bucket, end < len(found))
	if end < len(found) {
		fmt.Fprintf(&told, "<NextContinuationToken>%s</NextContinuationToken><NextKeyMarker>%s</NextKeyMarker><NextVersionIdMarker>v</NextVersionIdMarker>", found[end-1], found[end-1])
	}
	for _, each := range found[begin:end] {
		fmt.Fprintf(&told, "<%s><Key>%s</Key>", entry, each)
		if versions {
			fmt.Fprintf(&told, "<VersionId>%s</VersionId><IsLatest>true</IsLatest>", bucket)
		}
		fmt.Fprintf(&told, "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;%s&quot;</ETag><Size>1024</Size><StorageClass>STANDARD</StorageClass></%s>", etag, entry)
	}
	fmt.Fprintf(&told, "</%s>", name)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", fmt.Sprint(told.Len()))
	w.Write(told.Bytes())
}

func main() {
	flag.Parse()
	sources = keys("src")
	fmt.Println("ready")
	http.ListenAndServe(*address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/__stats" {
			mutex.Lock()
			fmt.Fprintf(w, "%d %d %d %f", copies, slowed, len(copied), float64(last.Load()-first.Load())/1e9)
			mutex.Unlock()
			return
		}
		if r.URL.Path == "/__forget" {
			mutex.Lock()
			copied = map[string]bool{}
			copies, slowed = 0, 0
			first.Store(0)
			mutex.Unlock()
			return
		}
		if *latency > 0 {
			time.Sleep(*latency)
		}
		parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 2)
		if len(parts) < 2 || parts[1] == "" {
			if r.Method != "HEAD" {
				list(w, parts[0], r.URL.Query())
			}
			return
		}
		switch {
		case r.Method == "PUT" && r.Header.Get("x-amz-copy-source") != "":
			put(w, parts[1])
		case r.Method == "HEAD":
			mutex.Lock()
			there := parts[0] == "src" || copied[parts[1]]
			mutex.Unlock()
			if !there {
				w.WriteHeader(404)
				return
			}
			w.Header().Set("ETag", `"`+etag+`"`)
			w.Header().Set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
			w.Header().Set("Content-Length", "1024")
		default:
			w.WriteHeader(405)
		}
	}))
}
