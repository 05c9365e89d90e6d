package datasets

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets/labelmap"
)

// All 2834 regions of 500 images of detail-api's sample result, painted with pycocotools 2.0.11 by
// "testdata/context/make.py digest".
func TestRealDetailRegions(t *testing.T) {
	const want = "5e3c866b367a2f335f4eb1d16dcc7db380f517c3e7a1451126c1c2083e66b428"
	data, err := os.ReadFile(filepath.Join(Shared(t), "samples/pascal_context/inst_seg_correct.json"))
	if err != nil {
		t.Fatal(err)
	}
	var regions []struct {
		Image        int `json:"image_id"`
		Segmentation struct{ Size [2]int }
	}
	if err := json.Unmarshal(data, &regions); err != nil {
		t.Fatal(err)
	}
	sizes := make(map[int][2]int)
	var numbers []int
	for _, r := range regions {
		if _, ok := sizes[r.Image]; !ok {
			numbers = append(numbers, r.Image)
		}
		sizes[r.Image] = r.Segmentation.Size
	}
	slices.Sort(numbers)
	var images []string
	for _, n := range numbers {
		images = append(images, fmt.Sprintf(`{"image_id": %d, "file_name": "%d.jpg", "phase": "val", "height": %d, "width": %d}`, n, n, sizes[n][0], sizes[n][1]))
	}
	file := fmt.Appendf(nil, `{"annos_segmentation": %s, "images": [%s]}`, data, strings.Join(images, ","))
	d, err := readDetail(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for _, m := range d.images {
		l, err := d.paint(bytes.NewReader(file), m)
		if err != nil {
			t.Fatal(err)
		}
		if err := binary.Write(h, binary.LittleEndian, l.Pix); err != nil {
			t.Fatal(err)
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want || len(d.images) != 500 || len(d.masks) != 2834 ||
		d.classes != 59 {
		t.Errorf("%d images, %d regions of %d classes, digest %s", len(d.images), len(d.masks), d.classes, got)
	}
}

const (
	detailImages  = `"images":[{"image_id":1,"file_name":"a.jpg","phase":"val","height":2,"width":3}]`
	detailRegion  = `{"image_id":1,"category_id":9,"segmentation":{"size":[2,3],"counts":"06"}}`
	detailRegions = `"annos_segmentation":[` + detailRegion + `]`
)

func TestDetailErrors(t *testing.T) {
	if d, err := readDetail(strings.NewReader("{" + detailImages + "," + detailRegions + "}")); err != nil ||
		len(d.masks) != 1 {
		t.Fatal(d, err)
	}
	for _, test := range []struct{ file, want string }{
		{``, `the text ends, want '{'`},
		{`[]`, `'[', want '{'`},
		{`{`, `the text ends`},
		{`{}`, "want trainval_merged.json"},
		{`{` + detailImages + `}`, "want trainval_merged.json"},
		{`{` + detailImages + `,` + detailRegions + `}}`, "want the end of the text"},
		{`{` + detailImages + `,` + detailImages + `}`, `a second list of images`},
		{`{"images":{}}`, `'{', want '['`},
		{`{"images":[{"image_id":1.5}]}`, "not a whole number"},
		{`{"images":[{"image_id":99999999999999999999}]}`, "not a whole number of 64 bits"},
		{`{"images":[{"file_name":"a.jpg","height":2,"width":3}]}`, "images[0], a: want an image_id"},
		{`{"images":[{"image_id":1,"file_name":"a.jpg","height":2147483647,"width":2147483647}]}`, "at most 67108864 pixels, found 2147483647x2147483647"},
		{`{"images":[{"image_id":1,"file_name":"a.jpg","height":-2,"width":3}]}`, "found 3x-2"},
		{`{"images":[{"image_id":1,"file_name":"../..","height":2,"width":3}]}`, "file_name:"},
		{`{` + strings.TrimSuffix(detailImages, "]") + `,{"image_id":2,"file_name":"b/a.png","height":2,"width":3}]}`, "images[1], a: its image_id 2 or file_name is there twice"},
		{`{` + strings.TrimSuffix(detailImages, "]") + `,{"image_id":1,"file_name":"b.jpg","height":2,"width":3}]}`, "images[1], b: its image_id 1"},
		{`{"annos_segmentation":[{"category_id":9,"segmentation":1}]}`, "annos_segmentation[0]: no image_id"},
		{`{"annos_segmentation":[{"image_id":1,"segmentation":1}]}`, "category_id 0, want 1..459"},
		{`{"annos_segmentation":[{"image_id":1,"category_id":460,"segmentation":1}]}`, "category_id 460"},
		{`{"annos_segmentation":[{"image_id":1,"category_id":9}]}`, "segmentation of 0 bytes"},
		{`{"annos_segmentation":[{"image_id":1,"category_id":9,"segmentation":"` + strings.Repeat("x", maxDetailMaskBytes) + `"}]}`, "segmentation of 16777218 bytes, want 1..16777216"},
		{`{` + detailImages + `,"annos_segmentation":[{"image_id":2,"category_id":9,"segmentation":1}]}`, "annos_segmentation[0]: there is no image with its image_id 2"},
	} {
		if _, err := readDetail(strings.NewReader(test.file)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.150s: got %v, want %q", test.file, err, test.want)
		}
	}
}

// A region is looked at when its image is read.
func TestDetailRegionErrors(t *testing.T) {
	for _, test := range []struct{ region, want string }{
		{`{"size":[2,3],"counts":"06"}`, ""},
		{`{"size":[2,3],"counts":[0,6]}`, "a compressed RLE"},
		{`[[0,0,1,1,2,2]]`, "a compressed RLE"},
		{`{"size":[2],"counts":"06"}`, "size [2], want height and width"},
		{`{"size":[3,2],"counts":"06"}`, "the region is 2x3, its image 3x2"},
		{`{"size":[2,3],"counts":"05"}`, "add up to 5 pixels"},
		{`{"size":[2147483647,2147483647],"counts":"06"}`, "byte"},
	} {
		file := `{` + detailImages + `,"annos_segmentation":[{"image_id":1,"category_id":9,"segmentation":` + test.region + `}]}`
		d, err := readDetail(strings.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		l, err := d.paint(strings.NewReader(file), d.images[0])
		if test.want == "" {
			if diff := cmp.Diff(labelmap.Map{W: 3, H: 2, Pix: []uint16{9, 9, 9, 9, 9, 9}}, l); diff != "" || err != nil {
				t.Error(err, diff)
			}
		} else if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.region, err, test.want)
		}
	}
}

// twinDetail lists what encoding/json reads of a file: of each region its image and category, and of each image its
// regions.
func twinDetail(data []byte) (images []string, regions map[string][]string, err error) {
	var file map[string]json.RawMessage
	var list, masks []map[string]json.RawMessage
	for _, step := range []struct {
		from func() []byte
		to   any
	}{{func() []byte { return data }, &file}, {func() []byte { return file["images"] }, &list},
		{func() []byte { return file["annos_segmentation"] }, &masks}} {
		if err := json.Unmarshal(step.from(), step.to); err != nil {
			return nil, nil, err
		}
	}
	regions = make(map[string][]string)
	for _, m := range list {
		var name string
		if err := json.Unmarshal(m["file_name"], &name); err != nil {
			return nil, nil, err
		}
		images = append(images, stem(name))
		for _, r := range masks {
			if string(r["image_id"]) == string(m["image_id"]) {
				regions[stem(name)] = append(regions[stem(name)], string(r["category_id"])+string(r["segmentation"]))
			}
		}
	}
	return images, regions, nil
}

// FuzzDetail: whatever the file, no panic; what is read is what encoding/json reads.
func FuzzDetail(f *testing.F) {
	mini, err := os.ReadFile("testdata/context/VOC2010/trainval_merged.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(mini)
	f.Add([]byte("{" + detailImages + "," + detailRegions + "}"))
	f.Add([]byte(`{"x":[{"y":"\\\"]"}, -1.5e3, null, true], ` + detailRegions + ` , ` + detailImages + ` }`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := readDetail(bytes.NewReader(data))
		if err != nil {
			return
		}
		images, regions, err := twinDetail(data)
		if err != nil {
			t.Fatalf("accepted, but %v", err)
		}
		for i, m := range d.images {
			if i >= len(images) || images[i] != m.id {
				t.Fatalf("image %d is %q, not in %q", i, m.id, images)
			}
			var got []string
			for _, r := range d.masks[m.first:m.last] {
				got = append(got, fmt.Sprint(r.category)+string(data[r.offset:r.offset+int64(r.size)]))
			}
			if diff := cmp.Diff(regions[m.id], got); diff != "" {
				t.Fatalf("%s (-encoding/json +got):\n%s", m.id, diff)
			}
			if m.w*m.h <= 1<<16 {
				if l, err := d.paint(bytes.NewReader(data), m); err == nil && len(l.Pix) != m.w*m.h {
					t.Fatalf("%s: %d pixels of %dx%d", m.id, len(l.Pix), m.w, m.h)
				}
			}
		}
	})
}

// writeDetail writes a file like the original: regions with parts, and about payload bytes a region that nobody reads.
func writeDetail(w io.Writer, images, regions, payload int) error {
	out := bufio.NewWriterSize(w, 1<<20)
	counts := strings.Repeat(`1N10000O2N1O0001O\\1^Oa0`, payload/48+1) // 24 bytes as text in JSON, twice a region
	out.WriteString(`{"info": {"description": "made for tests"}, "images": [`)
	for i := range images {
		fmt.Fprintf(out, `{"file_name": "2008_%06d.jpg", "phase": "val", "height": 375, "width": 500, "image_id": %d, "date_captured": "31-Oct-2007"}, `, i, 2008000000+i)
	}
	out.WriteString(`{"file_name": "2009_000000.jpg", "phase": "train", "height": 375, "width": 500, "image_id": 2009000000}], "annos_segmentation": [`)
	for i := range images * regions {
		if i > 0 {
			out.WriteString(", ")
		}
		fmt.Fprintf(out, `{"id": %d, "image_id": %d, "category_id": %d, "area": 24254.0, "bbox": [52.0, 52.0, 286.0, 448.0], "iscrowd": 0, "segmentation": {"size": [375, 500], "counts": "%s"}, "parts": [{"part_id": %d, "segmentation": {"size": [375, 500], "counts": "%s"}}]}`,
			i, 2008000000+i%images, 1+i%459, counts, i%255, counts)
	}
	out.WriteString(`], "annos_occlusion": [], "annos_boundary": []}`)
	return out.Flush()
}

// indexBytes is the memory of what openDetail keeps: about 100 bytes for an image's two map entries.
func (d *detailFile) indexBytes() int {
	n := len(d.masks) * int(unsafe.Sizeof(detailMask{}))
	for _, m := range d.images {
		n += int(unsafe.Sizeof(m)) + 2*len(m.id) + 100
	}
	return n
}

// Memory follows the number of images and regions; the size of the file does not matter.
func TestDetailIsBounded(t *testing.T) {
	var live [2]uint64
	for k, payload := range []int{100, 10000} {
		path := filepath.Join(t.TempDir(), "x.json")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := writeDetail(f, 200, 10, payload); err != nil {
			t.Fatal(err)
		}
		f.Close()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		d, err := openDetail(path, new(contextTable))
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		live[k] = after.TotalAlloc - before.TotalAlloc
		if len(d.images) != 201 || len(d.masks) != 2000 {
			t.Errorf("%d images, %d regions", len(d.images), len(d.masks))
		}
		if bound := uint64(10*d.indexBytes() + 2<<18); live[k] > bound {
			t.Errorf("payload %d: %d bytes allocated in all, bound %d", payload, live[k], bound)
		}
	}
	if live[1] > live[0]+live[0]/4 {
		t.Errorf("%d bytes allocated for a small file, %d for one 50 times as large", live[0], live[1])
	}
}

// The index of a file of 200 MB, 20 MB with -short: 10000 images of 7 regions. index-B is what stays of B/op.
func BenchmarkDetailIndex(b *testing.B) {
	payload := 2700
	if testing.Short() {
		payload = 0
	}
	path := filepath.Join(b.TempDir(), "trainval_merged.json")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if err := writeDetail(f, 10000, 7, payload); err != nil {
		b.Fatal(err)
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		b.Fatal(err)
	}
	f.Close()
	b.SetBytes(size)
	b.ReportAllocs()
	index := 0
	for b.Loop() {
		d, err := openDetail(path, new(contextTable))
		if err != nil {
			b.Fatal(err)
		}
		index = d.indexBytes()
	}
	b.ReportMetric(float64(index), "index-B")
}
