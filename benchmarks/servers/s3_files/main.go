// An S3 of files on this machine: lists them, and answers ranges. Every bucket has the same: a copy that is in sync.
//
// -files names a text of lines "key<tab>path<tab>bytes", in the order of the keys: an object is so many bytes of the
// beginning of a file.
package main

import (
	"bufio"
	"crypto/md5"
	"encoding/hex"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

type object struct {
	key, etag string
	body      []byte
}

var (
	objects []object
	latency time.Duration
)

const whenWritten = "Mon, 01 Jan 2024 00:00:00 GMT"

func read(name string) {
	file, err := os.Open(name)
	if err != nil {
		log.Fatal(err)
	}
	bodies := map[string][]byte{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		words := strings.Split(lines.Text(), "\t")
		if _, ok := bodies[words[1]]; !ok {
			if bodies[words[1]], err = os.ReadFile(words[1]); err != nil {
				log.Fatal(err)
			}
		}
		length, err := strconv.Atoi(words[2])
		if err != nil {
			log.Fatal(err)
		}
		body := bodies[words[1]][:length]
		sum := md5.Sum(body)
		objects = append(objects, object{words[0], hex.EncodeToString(sum[:]), body})
	}
}

func list(w http.ResponseWriter, query url.Values) {
	after := max(query.Get("start-after"), query.Get("continuation-token"), query.Get("marker"))
	prefix := query.Get("prefix")
	at := sort.Search(len(objects), func(i int) bool { return objects[i].key > after && objects[i].key >= prefix })
	var out strings.Builder
	out.WriteString(`<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><EncodingType>url</EncodingType>`)
	last, more := "", false
	for count := 0; at < len(objects) && strings.HasPrefix(objects[at].key, prefix); at++ {
		if count == 1000 {
			more = true
			break
		}
		each := &objects[at]
		last = each.key
		fmt.Fprintf(&out, "<Contents><Key>%s</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>&quot;%s&quot;</ETag><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>", url.PathEscape(each.key), each.etag, len(each.body))
		count++
	}
	fmt.Fprintf(&out, "<IsTruncated>%t</IsTruncated>", more)
	if more {
		fmt.Fprintf(&out, "<NextContinuationToken>%s</NextContinuationToken><NextMarker>%s</NextMarker>", last, last)
	}
	out.WriteString("</ListBucketResult>")
	w.Header().Set("Content-Type", "application/xml")
	w.Write([]byte(out.String()))
}

func serve(w http.ResponseWriter, r *http.Request) {
	time.Sleep(latency)
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if key == "" {
		list(w, r.URL.Query())
		return
	}
	at := sort.Search(len(objects), func(i int) bool { return objects[i].key >= key })
	if at == len(objects) || objects[at].key != key {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>")
		return
	}
	w.Header().Set("ETag", `"`+objects[at].etag+`"`)
	w.Header().Set("Last-Modified", whenWritten)
	body, first, last := objects[at].body, 0, len(objects[at].body)-1
	status := http.StatusOK
	if ranged := r.Header.Get("Range"); ranged != "" {
		begin, end, _ := strings.Cut(strings.TrimPrefix(ranged, "bytes="), "-")
		first, _ = strconv.Atoi(begin)
		if number, err := strconv.Atoi(end); err == nil {
			last = min(last, number)
		}
		if first > last {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			fmt.Fprint(w, "<Error><Code>InvalidRange</Code><Message>beyond</Message></Error>")
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(body)))
		status = http.StatusPartialContent
	}
	w.Header().Set("Content-Length", strconv.Itoa(last+1-first))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body[first : last+1])
	}
}

func main() {
	address := flag.String("addr", "127.0.0.1:9127", "where it listens")
	files := flag.String("files", "", "the list of objects")
	flag.DurationVar(&latency, "lat", 0, "of each answer")
	flag.Parse()
	read(*files)
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready", len(objects))
	log.Fatal(http.Serve(listener, http.HandlerFunc(serve)))
}
