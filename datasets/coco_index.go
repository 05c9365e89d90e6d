package datasets

import (
	"cmp"
	"fmt"
	"image"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"time"

	"ovbench/datasets/files"
	"ovbench/datasets/jsonscan"
)

// maxCOCOAnnotation bounds the bytes of one annotation, which is read whole.
const maxCOCOAnnotation = 16 << 20

// A cocoFile knows where in an annotation file the annotations of each picture lie, and leaves them there: COCO's files
// have up to a gigabyte, their index 24 bytes per annotation. It is immutable after openCOCOFile, which all may share.
type cocoFile struct {
	path     string
	size     int64
	modified time.Time
	images   []cocoImage // by id
	entries  []cocoEntry // by image, then in the order of the file
}

type cocoImage struct {
	id          int64
	w, h        int    // 0 if the file does not say
	file        string // the last element of file_name
	first, last int    // entries[first:last] are its annotations
}

type cocoEntry struct {
	image  int64
	offset int64
	length uint32
	label  uint16
}

// A cocoReader builds a cocoFile.
type cocoReader struct {
	*jsonscan.Scanner
	file   *cocoFile
	names  map[int64]string // of the categories there may be
	labels map[int64]uint16 // of them; nil if annotations have segments, each with its own category
}

// openCOCOFile indexes an annotation file whose categories are those of the lists. labels is nil for panoptic files.
func openCOCOFile(name string, labels map[int64]uint16, lists ...[]cocoCategory) (*cocoFile, error) {
	f, size, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	names := make(map[int64]string)
	for _, c := range slices.Concat(lists...) {
		names[c.id] = c.name
	}
	r := cocoReader{jsonscan.New(f), &cocoFile{path: name, size: size, modified: st.ModTime()}, names, labels}
	if err := r.read(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := r.file.join(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r.file, nil
}

func (r *cocoReader) read() error {
	lists := map[string]func() error{"images": r.image, "annotations": r.annotation, "categories": r.category}
	return r.Lists(lists, "images", "annotations")
}

// absent stands for an id that is not given.
const absent = math.MinInt64

func (r *cocoReader) image() error {
	img, name := cocoImage{id: absent}, ""
	var w, h int64
	err := byKey(r.Scanner, func(key string) (err error) {
		switch key {
		case "id":
			img.id, err = r.Integer()
		case "width":
			w, err = r.side()
		case "height":
			h, err = r.side()
		case "file_name":
			name, err = r.Text()
		default:
			err = r.Skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	img.file = path.Base(name)
	if err := checkID(stem(img.file)); err != nil || img.id == absent {
		return r.Errorf("an image without id or with the file name %q; want a name such as 000000000139.jpg", name)
	}
	if w > 0 && h > 0 {
		if h > files.MaxPixels/w {
			return r.Errorf("image %d has %dx%d pixels, more than the limit of %d", img.id, w, h, files.MaxPixels)
		}
		img.w, img.h = int(w), int(h)
	}
	r.file.images = append(r.file.images, img)
	return nil
}

// side reads a width or height: 0, which the picture knows better, where it is null, NaN or -1.
func (r *cocoReader) side() (int64, error) {
	if r.Null() {
		return 0, nil
	}
	v, err := r.Float()
	if !(v > 0) {
		return 0, err
	}
	if v != math.Trunc(v) || v > files.MaxPixels {
		return 0, r.Errorf("%.0f is no number of pixels", v)
	}
	return int64(v), nil
}

// annotationID reads the id of an annotation, which only errors name: any text will do.
func annotationID(s *jsonscan.Scanner) (int64, error) {
	if s.Next() != '"' {
		return s.Integer()
	}
	text, err := s.Text()
	if id, bad := strconv.ParseInt(text, 10, 64); bad == nil {
		return id, err
	}
	return absent, err
}

func (r *cocoReader) annotation() error {
	r.Next()
	e := cocoEntry{image: absent, offset: r.Offset()}
	id, category := int64(absent), int64(absent)
	err := byKey(r.Scanner, func(key string) (err error) {
		switch key {
		case "id":
			id, err = annotationID(r.Scanner)
		case "image_id":
			e.image, err = r.Integer()
		case "category_id":
			category, err = r.Integer()
		default:
			err = r.Skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	if e.image == absent {
		return r.Errorf("%s has no image_id", annotationName(id))
	}
	if r.labels != nil {
		label, ok := r.labels[category]
		if !ok {
			return r.Errorf("%s of image %d has category %s, which is none of the %d there are",
				annotationName(id), e.image, idName(category), len(r.labels))
		}
		e.label = label
	}
	length := r.Offset() - e.offset
	if length > maxCOCOAnnotation {
		return r.Errorf("%s has %d bytes, more than the limit of %d", annotationName(id), length, maxCOCOAnnotation)
	}
	e.length = uint32(length)
	r.file.entries = append(r.file.entries, e)
	return nil
}

// category checks that the numbers mean what they do in COCO: files of other data sets have the same form.
func (r *cocoReader) category() error {
	id, name := int64(absent), ""
	err := byKey(r.Scanner, func(key string) (err error) {
		switch key {
		case "id":
			id, err = r.Integer()
		case "name":
			name, err = r.Text()
		default:
			err = r.Skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	switch want, ok := r.names[id]; {
	case !ok:
		return r.Errorf("category %s, %q, is none of the %d there are; the file belongs to another data set",
			idName(id), name, len(r.names))
	case name != want:
		return r.Errorf("category %d is %q, here it must be %q; the file belongs to another data set", id, name, want)
	}
	return nil
}

func annotationName(id int64) string { return "annotation " + idName(id) }

func idName(id int64) string {
	if id == absent {
		return "without id"
	}
	return fmt.Sprint(id)
}

// join orders images and annotations and gives each image its annotations.
func (f *cocoFile) join() error {
	slices.SortFunc(f.images, func(a, b cocoImage) int { return cmp.Compare(a.id, b.id) })
	slices.SortStableFunc(f.entries, func(a, b cocoEntry) int { return cmp.Compare(a.image, b.image) })
	if len(f.images) == 0 {
		return fmt.Errorf("the list of images is empty")
	}
	stems := make(map[string]int64, len(f.images))
	next := 0
	for i := range f.images {
		img := &f.images[i]
		if i > 0 && img.id == f.images[i-1].id {
			return fmt.Errorf("image %d is listed twice", img.id)
		}
		if other, ok := stems[stem(img.file)]; ok {
			return fmt.Errorf("images %d and %d have the same file name %s", other, img.id, img.file)
		}
		stems[stem(img.file)] = img.id
		img.first = next
		for next < len(f.entries) && f.entries[next].image == img.id {
			next++
		}
		img.last = next
		if next < len(f.entries) && f.entries[next].image < img.id {
			break
		}
	}
	if next < len(f.entries) {
		return fmt.Errorf("annotations of image %d, which the list of images lacks", f.entries[next].image)
	}
	return nil
}

// sized is the image with the size of its picture where the file does not say.
func (img cocoImage) sized(m *image.NRGBA) *cocoImage {
	if img.w == 0 {
		img.w, img.h = m.Rect.Dx(), m.Rect.Dy()
	}
	return &img
}

// unsized is a note of the images whose size the file does not say.
func (f *cocoFile) unsized() (notes []string) {
	n := 0
	for _, img := range f.images {
		if img.w == 0 {
			n++
		}
	}
	if n > 0 {
		notes = append(notes, fmt.Sprintf("%s does not say how large %d of %d images are: they are as large as "+
			"their pictures",
			f.path, n, len(f.images)))
	}
	return notes
}

// find looks an image up by id.
func (f *cocoFile) find(id int64) (*cocoImage, bool) {
	i, ok := slices.BinarySearchFunc(f.images, id, func(img cocoImage, id int64) int { return cmp.Compare(img.id, id) })
	if !ok {
		return nil, false
	}
	return &f.images[i], true
}

func (f *cocoFile) ids() []string {
	ids := make([]string, len(f.images))
	for i, img := range f.images {
		ids[i] = stem(img.file)
	}
	return ids
}

// each reads the annotations of an image from the file, in its order.
func (f *cocoFile) each(img *cocoImage, visit func(a cocoAnnotation) error) error {
	file, size, err := files.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return err
	}
	if size != f.size || !st.ModTime().Equal(f.modified) {
		return fmt.Errorf("%s: the file has changed since it was opened; start again", f.path)
	}
	for _, e := range f.entries[img.first:img.last] {
		if err := f.visit(file, e, visit); err != nil {
			return fmt.Errorf("%s: byte %d: image %d: %w", f.path, e.offset, img.id, err)
		}
	}
	return nil
}

func (f *cocoFile) visit(file *os.File, e cocoEntry, visit func(a cocoAnnotation) error) error {
	data := make([]byte, e.length)
	if _, err := file.ReadAt(data, e.offset); err != nil {
		return err
	}
	a, err := parseAnnotation(data)
	if err != nil {
		return err
	}
	a.label = e.label
	if err := visit(a); err != nil {
		return fmt.Errorf("%s: %w", annotationName(a.id), err)
	}
	return nil
}
