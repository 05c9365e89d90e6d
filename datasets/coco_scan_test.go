package datasets

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func scanWhole(r io.Reader) error {
	s := newJSONScanner(r)
	if err := s.skip(); err != nil {
		return err
	}
	return s.end()
}

func TestJSONScannerErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "byte 0: the text ends, want a value",
		"[1,":                             "byte 3: the text ends, want a value",
		"[1":                              `byte 2: the text ends, want ',' or ']'`,
		"[1,]":                            `byte 3: ']', want a value`,
		"{\"a\":1,}":                      `byte 7: '}', want a string`,
		"{\"a\" 1}":                       `byte 5: '1', want ':'`,
		"[01]":                            `byte 2: '1', want ','`,
		"[-]":                             "byte 1: not a number",
		"1.":                              "byte 0: not a number",
		"1e+":                             "byte 0: not a number",
		"\"a":                             "byte 2: the text ends",
		"\"a\nb\"":                        "byte 2: control character",
		`"\x"`:                            "byte 1: unknown escape",
		`"\u12g4"`:                        "byte 1: unknown escape",
		"nul":                             "byte 0: 'n', want a value",
		"{} {}":                           `byte 3: '{', want the end`,
		"\x00":                            `byte 0: '\x00', want a value`,
		strings.Repeat("[", 100):          "byte 65: values nest more than 64 deep",
		strings.Repeat("1", jsonBuffer*2): "byte 0: not a number of at most 512",
	} {
		if err := scanWhole(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
	broken := errors.New("broken disk")
	if err := scanWhole(io.MultiReader(strings.NewReader("[1, 2"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}

func TestJSONScannerValues(t *testing.T) {
	s := newJSONScanner(strings.NewReader(` {"a\u0062": -9001999999999999999, "b": "x\\y\u00e9" , "c":[1,[2],{"d":null}]} `))
	var got []string
	err := s.object(func(key []byte) error {
		name := string(key)
		switch name {
		case "ab":
			v, err := s.integer()
			got = append(got, fmt.Sprint(name, "=", v))
			return err
		case "b":
			v, err := s.string()
			got = append(got, name+"="+v)
			return err
		}
		s.next()
		from := s.offset()
		err := s.skip()
		got = append(got, fmt.Sprint(name, "=", from, "..", s.offset()))
		return err
	})
	if err := errors.Join(err, s.end()); err != nil {
		t.Fatal(err)
	}
	if want := `ab=-9001999999999999999 b=x\yé c=59..77`; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, text := range []string{"1.5", "1e3", "9223372036854775808", `"1"`, "null", "true"} {
		if v, err := newJSONScanner(strings.NewReader(text)).integer(); err == nil {
			t.Errorf("%s is the whole number %d", text, v)
		}
	}
	if _, err := newJSONScanner(strings.NewReader(`"` + strings.Repeat("a", jsonMaxString) + `"`)).string(); err == nil {
		t.Error("a string of any length is read")
	}
}

var longNumber = regexp.MustCompile(`[-+.0-9eE]{512}`)

// FuzzJSONScanner accepts what encoding/json does, however the text arrives.
func FuzzJSONScanner(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e+10,"x\"\u00ff",true,false,null,{}]}`, `[0.0,-0,1E5]`, " \t\r\n[ ] ", `"\ud800"`, "\"\xff\"", `{"":""}x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Count(string(data), "[")+strings.Count(string(data), "{") > jsonMaxDepth || longNumber.Match(data) {
			return
		}
		err := scanWhole(strings.NewReader(string(data)))
		if (err == nil) != json.Valid(data) {
			t.Fatalf("%q: scanned with %v, valid is %v", data, err, json.Valid(data))
		}
		if slow := scanWhole(iotest.OneByteReader(strings.NewReader(string(data)))); fmt.Sprint(slow) != fmt.Sprint(err) {
			t.Fatalf("%q: %v, byte by byte %v", data, err, slow)
		}
	})
}

// FuzzCOCOFile opens any bytes as an annotation file and reads all that it finds.
func FuzzCOCOFile(f *testing.F) {
	for _, name := range []string{"instances", "stuff", "panoptic"} {
		data, err := os.ReadFile("testdata/coco/annotations/" + name + "_val2017.json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"images":[{"id":1,"width":3,"height":2,"file_name":"a.jpg"}],"annotations":[
		{"id":1,"image_id":1,"category_id":1,"bbox":[0,0,1,1],"segmentation":{"counts":"06","size":[2,3]}},
		{"id":2,"image_id":1,"category_id":1,"bbox":[0,0,1,1],"segmentation":{"counts":[0,6],"size":[2,3]}},
		{"id":3,"image_id":1,"category_id":1,"bbox":[0,0,1,1],"segmentation":[[0,0,2,0,2,2]]}]}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		name := filepath.Join(dir, fmt.Sprint(os.Getpid(), ".json"))
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		things, err := openCOCOFile(name, cocoLabels(0, cocoThings), cocoThings)
		if err == nil {
			d := &cocoAnnotated{things: things}
			for i := range things.images {
				img := &things.images[i]
				if img.w*img.h <= 1<<20 {
					d.objects(img)
					d.paint(img)
				}
			}
		}
		if panoptic, err := openCOCOFile(name, nil, cocoThings, cocoPanopticStuff); err == nil {
			d := &cocoPanoptic{file: panoptic, categories: cocoLabels(0, cocoThings, cocoPanopticStuff)}
			for i := range panoptic.images {
				d.segments(&panoptic.images[i])
			}
		}
	})
}

// writeCOCO makes an annotation file of about size bytes in the manner of instances_train2017.json: seven objects a
// picture, most of them polygons of some 25 points. It returns how many objects there are.
func writeCOCO(w *bufio.Writer, size int) (annotations int) {
	r, written := splitmix(1), 0
	write := func(format string, args ...any) {
		n, _ := fmt.Fprintf(w, format, args...) // the error stays in w until it is flushed
		written += n
	}
	write(`{"info": {"year": 2017}, "licenses": [], "categories": [{"supercategory": "person", "id": 1, "name": "person"}], "annotations": [`)
	for ; written < size*15/16; annotations++ {
		if annotations > 0 {
			write(", ")
		}
		write(`{"segmentation": [[`)
		for i := range 6 + r.u(88) {
			if i > 0 {
				write(", ")
			}
			write("%d.%02d", r.u(640), r.u(100))
		}
		write(`]], "area": %d.%04d, "iscrowd": 0, "image_id": %d, "bbox": [%d.%02d, %d.%02d, %d.%02d, %d.%02d], "category_id": 1, "id": %d}`,
			r.u(99999), r.u(9999), annotations/7, r.u(640), r.u(100), r.u(480), r.u(100), r.u(300), r.u(100), r.u(300), r.u(100), annotations)
	}
	write(`], "images": [`)
	for i := range annotations/7 + 1 {
		if i > 0 {
			write(", ")
		}
		write(`{"license": 3, "file_name": "%012d.jpg", "coco_url": "http://images.cocodataset.org/train2017/%012d.jpg", "height": 480, "width": 640, `+
			`"date_captured": "2013-11-14 16:28:13", "flickr_url": "http://farm7.staticflickr.com/6116/6255196340_da26cf2c9e_z.jpg", "id": %d}`, i, i, i)
	}
	write("]}")
	return annotations
}

// BenchmarkOpenCOCOFile indexes a generated file of 512 MB (of 16 MB with -short). It reports the most memory the process
// ever held and, where python3 is found, how often the index is done in the time of Python's json.load.
func BenchmarkOpenCOCOFile(b *testing.B) {
	size := 512 << 20
	if testing.Short() {
		size = 16 << 20
	}
	name := filepath.Join(b.TempDir(), "instances.json")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	annotations := writeCOCO(w, size)
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(size))
	for b.Loop() {
		index, err := openCOCOFile(name, cocoLabels(0, cocoThings), cocoThings)
		if err != nil {
			b.Fatal(err)
		}
		if len(index.entries) != annotations {
			b.Fatalf("%d annotations, %d were written", len(index.entries), annotations)
		}
	}
	b.ReportMetric(peakMemory(b), "peak-MB")
	python, err := exec.LookPath("python3")
	if err != nil {
		return
	}
	start := time.Now()
	if out, err := exec.Command(python, "-c", "import json, sys; json.load(open(sys.argv[1]))", name).CombinedOutput(); err != nil {
		b.Logf("python3: %v: %s", err, out)
		return
	}
	b.ReportMetric(float64(time.Since(start))*float64(b.N)/float64(b.Elapsed()), "times-python")
}

// peakMemory is the high-water mark of the process in MB, 0 where the system does not tell.
func peakMemory(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		return 0
	}
	kb, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return kb / 1024
}
