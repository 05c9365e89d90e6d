package datasets

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"

	"ovbench/datasets/files"
	"ovbench/datasets/jsonscan"
	"ovbench/datasets/labelmap"
	"ovbench/datasets/mask"
)

// PASCAL in Detail stores the masks of all images in one JSON file of half a gigabyte, trainval_merged.json. Of its
// lists, images says what there is and annos_segmentation holds one compressed mask.RLE a region, under the same
// numbers 1..459 as the original .mat files. The map of an image is zeros with its regions painted over in the order of
// the list, as Detail.getMask of detail-api does.

// Bounds on what a file may ask for. The original has 10103 images.
const (
	maxDetailImages    = 1 << 17
	maxDetailMasks     = 1 << 22
	maxDetailMaskBytes = 1 << 24 // of JSON, one region
)

// detailFile knows where in the file each region lies. It is immutable after openDetail.
type detailFile struct {
	path    string
	images  []detailImage // in the order of the file
	byID    map[string]int
	masks   []detailMask // by image, those of one in the order of the file
	classes int          // how many of 1..459 have a region
	table   *contextTable
}

type detailImage struct {
	id          string // file name without extension
	phase       string // train, val or test
	w, h        int
	first, last int // masks[first:last]
}

// detailMask is where a region's mask.RLE object lies in the file.
type detailMask struct {
	image    int64 // in images; its image_id until all of them are known
	offset   int64
	size     uint32
	category uint16
}

// openDetail reads through the file once and stores neither masks nor anything else of unknown size.
func openDetail(path string, table *contextTable) (*detailFile, error) {
	f, _, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, err := readDetail(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d.path, d.table = path, table
	return d, nil
}

func readDetail(r io.Reader) (*detailFile, error) {
	d := &detailScan{Scanner: jsonscan.New(r), byNumber: make(map[int64]int), byID: make(map[string]int)}
	err := d.Lists(map[string]func() error{"images": d.image, "annos_segmentation": d.mask}, "images",
		"annos_segmentation")
	if err != nil {
		return nil, fmt.Errorf("%w; want trainval_merged.json of PASCAL in Detail", err)
	}
	return d.file()
}

// A detailScan collects the lists of the file, whose order is not known.
type detailScan struct {
	*jsonscan.Scanner
	images   []detailImage
	byNumber map[int64]int
	byID     map[string]int
	masks    []detailMask
}

// image reads an element of images.
func (d *detailScan) image() error {
	if len(d.images) == maxDetailImages {
		return d.Errorf("more than %d images", maxDetailImages)
	}
	var m detailImage
	var name string
	number, w, h := int64(math.MinInt64), int64(0), int64(0)
	err := d.Object(func(key []byte) (err error) {
		switch string(key) {
		case "image_id":
			number, err = d.Integer()
		case "file_name":
			name, err = d.Text()
		case "phase":
			m.phase, err = d.Text()
		case "width":
			w, err = d.Integer()
		case "height":
			h, err = d.Integer()
		default:
			err = d.Skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	m.id = stem(name)
	if err := checkID(m.id); err != nil {
		return d.Errorf("images[%d]: file_name: %w", len(d.images), err)
	}
	if number == math.MinInt64 || w <= 0 || h <= 0 || w > files.MaxPixels || h > files.MaxPixels/w {
		return d.Errorf("images[%d], %s: want an image_id and at most %d pixels, found %dx%d", len(d.images), m.id,
			files.MaxPixels, w, h)
	}
	_, sameNumber := d.byNumber[number]
	if _, sameID := d.byID[m.id]; sameNumber || sameID {
		return d.Errorf("images[%d], %s: its image_id %d or file_name is there twice", len(d.images), m.id, number)
	}
	d.byNumber[number], d.byID[m.id] = len(d.images), len(d.images)
	m.w, m.h = int(w), int(h)
	d.images = append(d.images, m)
	return nil
}

// mask reads an element of annos_segmentation.
func (d *detailScan) mask() error {
	if len(d.masks) == maxDetailMasks {
		return d.Errorf("more than %d regions", maxDetailMasks)
	}
	m := detailMask{image: math.MinInt64}
	var category, size int64
	err := d.Object(func(key []byte) (err error) {
		switch string(key) {
		case "image_id":
			m.image, err = d.Integer()
		case "category_id":
			category, err = d.Integer()
		case "segmentation":
			d.Next()
			m.offset = d.Offset()
			err = d.Skip()
			size = d.Offset() - m.offset
		default:
			err = d.Skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case m.image == math.MinInt64:
		return d.Errorf("annos_segmentation[%d]: no image_id", len(d.masks))
	case category < 1 || category > int64(len(contextNames)):
		return d.Errorf("annos_segmentation[%d]: category_id %d, want 1..%d", len(d.masks), category, len(contextNames))
	case size == 0 || size > maxDetailMaskBytes:
		return d.Errorf("annos_segmentation[%d]: segmentation of %d bytes, want 1..%d", len(d.masks), size,
			maxDetailMaskBytes)
	}
	m.size, m.category = uint32(size), uint16(category)
	d.masks = append(d.masks, m)
	return nil
}

// file sorts the masks by image; their offsets keep the order of the list.
func (d *detailScan) file() (*detailFile, error) {
	used := make(map[uint16]bool)
	for i, m := range d.masks {
		image, ok := d.byNumber[m.image]
		if !ok {
			return nil, fmt.Errorf("annos_segmentation[%d]: there is no image with its image_id %d", i, m.image)
		}
		d.masks[i].image = int64(image)
		d.images[image].last++
		used[m.category] = true
	}
	slices.SortFunc(d.masks, func(a, b detailMask) int {
		return cmp.Or(cmp.Compare(a.image, b.image), cmp.Compare(a.offset, b.offset))
	})
	first := 0
	for i := range d.images {
		m := &d.images[i]
		m.first, m.last = first, first+m.last
		first = m.last
	}
	return &detailFile{images: d.images, byID: d.byID, masks: slices.Clip(d.masks), classes: len(used)}, nil
}

// ids lists the images of a split: those of one phase, or of train and val for trainval.
func (d *detailFile) ids(split string) ([]string, error) {
	var ids []string
	for _, m := range d.images {
		if m.phase == split || split == "trainval" && (m.phase == "train" || m.phase == "val") {
			ids = append(ids, m.id)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s: no image has the phase %q; phases are train, val and test, together trainval",
			d.path, split)
	}
	return ids, nil
}

func (d *detailFile) labelPath(string) string { return d.path }

func (d *detailFile) labels(id string) (labelmap.Map, error) {
	i, ok := d.byID[id]
	if !ok {
		return labelmap.Map{}, fmt.Errorf("%s: there is no image %q; the split list belongs to another form of the "+
			"data set", d.path, id)
	}
	f, _, err := files.Open(d.path)
	if err != nil {
		return labelmap.Map{}, err
	}
	defer f.Close()
	l, err := d.paint(f, d.images[i])
	if err == nil {
		err = d.table.apply(l)
	}
	if err != nil {
		return labelmap.Map{}, fmt.Errorf("%s: image %q: %w", d.path, id, err)
	}
	return l, nil
}

// paint draws the regions of m under their category numbers.
func (d *detailFile) paint(r io.ReaderAt, m detailImage) (labelmap.Map, error) {
	l := labelmap.Map{W: m.w, H: m.h, Pix: make([]uint16, m.w*m.h)}
	var text []byte
	for _, mask := range d.masks[m.first:m.last] {
		if cap(text) < int(mask.size) {
			text = make([]byte, mask.size)
		}
		text = text[:mask.size]
		if _, err := r.ReadAt(text, mask.offset); err != nil {
			return labelmap.Map{}, fmt.Errorf("byte %d: %w; the file has changed since it was opened", mask.offset, err)
		}
		region, err := decodeDetailMask(text)
		if err == nil && (region.W != l.W || region.H != l.H) {
			err = fmt.Errorf("%w: the region is %dx%d, its image %dx%d", ErrSize, region.W, region.H, l.W, l.H)
		}
		if err != nil {
			return labelmap.Map{}, fmt.Errorf("byte %d: segmentation: %w", mask.offset, err)
		}
		region.Paint(l.Pix, mask.category)
	}
	return l, nil
}

// decodeDetailMask reads {"size": [height, width], "counts": "…"}.
func decodeDetailMask(text []byte) (mask.RLE, error) {
	r, err := parseRuns(jsonscan.Of(text))
	if err != nil {
		return mask.RLE{}, fmt.Errorf("want a compressed RLE: %w", err)
	}
	if len(r.size) != 2 || r.counts != nil {
		return mask.RLE{}, fmt.Errorf("size %v, want height and width of a compressed RLE", r.size)
	}
	return mask.Decode(r.text, int(r.size[0]), int(r.size[1]))
}
