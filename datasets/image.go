package datasets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
)

// Limits on picture files, checked before anything is decoded.
const (
	MaxPixels    = 1 << 27   // width x height
	MaxFileBytes = 256 << 20 // of the file
)

// Orientation says what is done about the EXIF orientation of a JPEG.
type Orientation uint8

const (
	// AsStored ignores EXIF, as annotations and published pipelines on Pillow do.
	AsStored Orientation = iota
	// Upright turns and mirrors the picture as a viewer shows it.
	Upright
)

// ReadImage reads a JPEG or PNG, told apart by content, as opaque 8-bit RGB of any source
// colour model, with bounds from 0,0.
//
// PNG pixels are Pillow's Image.convert("RGB") exactly: alpha is dropped, 16-bit colours keep the
// high byte and 16-bit greys saturate at 255, gamma and ICC profiles are ignored. JPEG pixels are
// libjpeg-turbo's with its accurate inverse DCT and triangle chroma filter, which is Pillow's and OpenCV's setting.
// [JPEGDecoder] says what decodes them.
func ReadImage(path string, o Orientation) (*image.NRGBA, error) {
	data, err := readBounded(path, MaxFileBytes)
	if err != nil {
		return nil, err
	}
	img, err := decodeImage(data, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

// ImageSize reads width and height from the header of a JPEG or PNG, as stored.
func ImageSize(path string) (w, h int, err error) {
	f, size, err := openRegular(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	w, h, err = imageSize(f, size)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", path, err)
	}
	return w, h, nil
}

func imageSize(r io.ReadSeeker, size int64) (w, h int, err error) {
	head := make([]byte, sniffBytes)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	kind, err := sniff(head[:n])
	if err != nil {
		return 0, 0, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return 0, 0, err
	}
	return headerSize(r, kind, size)
}

// headerSize is the size that a header promises, refused if it is above the limits or more
// than a file of size bytes can hold.
func headerSize(r io.Reader, kind fileKind, size int64) (w, h int, err error) {
	config := png.DecodeConfig
	if kind == kindJPEG {
		config = jpeg.DecodeConfig
	}
	c, err := config(r)
	if err != nil {
		return 0, 0, explain(err)
	}
	pixels := int64(c.Width) * int64(c.Height)
	switch {
	case c.Width <= 0 || c.Height <= 0:
		return 0, 0, fmt.Errorf("%s of %dx%d pixels", kind, c.Width, c.Height)
	case pixels > MaxPixels:
		return 0, 0, fmt.Errorf("%s of %dx%d pixels, more than the limit of %d", kind, c.Width, c.Height, MaxPixels)
	case pixels > size*kind.pixelsPerByte():
		return 0, 0, fmt.Errorf("truncated: the header promises %dx%d pixels, which do not fit into %d bytes", c.Width, c.Height, size)
	}
	return c.Width, c.Height, nil
}

func checkHeader(data []byte, kind fileKind) error {
	_, _, err := headerSize(bytes.NewReader(data), kind, int64(len(data)))
	return err
}

func decodeImage(data []byte, o Orientation) (*image.NRGBA, error) {
	kind, err := sniff(data)
	if err != nil {
		return nil, err
	}
	if err := checkHeader(data, kind); err != nil {
		return nil, err
	}
	if kind == kindJPEG {
		return decodeJPEG(data, o)
	}
	return decodePNG(data)
}

var errTruncated = errors.New("truncated: the file ends before the picture does; download it again")

// explain turns a decoder's error into one that says what is wrong with the file.
func explain(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errTruncated
	}
	return err
}

// Fields of a PNG's IHDR chunk, which always lies first.
const (
	pngGrey      = 0 // colour type at byte 25; bit depth at byte 24
	pngHeaderLen = 33
)

// pngPixels is png.Decode, which words an early end of the file in several ways.
func pngPixels(data []byte) (image.Image, error) {
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil && !bytes.Contains(data, []byte("IEND")) {
		return nil, errTruncated
	}
	return m, err
}

func decodePNG(data []byte) (*image.NRGBA, error) {
	src, err := pngPixels(data)
	if err != nil {
		return nil, err
	}
	b := src.Bounds()
	dst := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	saturate := data[24] == 16 && data[25] == pngGrey
	for y := range b.Dy() {
		if err := pngRow(dst.Pix[y*dst.Stride:][:4*b.Dx()], src, y, saturate); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// pngRow converts one row of the image types that png.Decode returns. Colours with alpha are
// not premultiplied there, those without are opaque.
func pngRow(out []byte, src image.Image, y int, saturate bool) error {
	switch m := src.(type) {
	case *image.Gray:
		greyRow(out, m.Pix[y*m.Stride:])
	case *image.Gray16:
		wideRow(out, m.Pix[y*m.Stride:], 2, saturate)
	case *image.Paletted:
		paletteRow(out, m.Pix[y*m.Stride:], m.Palette)
	case *image.RGBA:
		colourRow(out, m.Pix[y*m.Stride:])
	case *image.NRGBA:
		colourRow(out, m.Pix[y*m.Stride:])
	case *image.RGBA64:
		wideRow(out, m.Pix[y*m.Stride:], 8, saturate)
	case *image.NRGBA64:
		wideRow(out, m.Pix[y*m.Stride:], 8, saturate)
	default:
		return fmt.Errorf("PNG decoded to %T, which is not handled", src)
	}
	return nil
}

func greyRow(out, in []byte) {
	for i := 0; i < len(out); i += 4 {
		v := in[i/4]
		out[i], out[i+1], out[i+2], out[i+3] = v, v, v, 255
	}
}

func colourRow(out, in []byte) {
	copy(out, in)
	for i := 3; i < len(out); i += 4 {
		out[i] = 255
	}
}

// wideRow converts big-endian 16-bit samples, size bytes a pixel: 2 for grey, 8 for colour and alpha.
func wideRow(out, in []byte, size int, saturate bool) {
	for i := 0; i < len(out); i += 4 {
		px := in[i/4*size:][:size]
		for c := range 3 {
			s := 2 * c
			if size == 2 {
				s = 0
			}
			out[i+c] = px[s]
			if saturate {
				out[i+c] = uint8(min(255, binary.BigEndian.Uint16(px[s:])))
			}
		}
		out[i+3] = 255
	}
}

func paletteRow(out, in []byte, palette color.Palette) {
	for i := 0; i < len(out); i += 4 {
		var c color.NRGBA
		switch p := palette[in[i/4]].(type) {
		case color.RGBA: // opaque
			c = color.NRGBA(p)
		case color.NRGBA:
			c = p
		}
		out[i], out[i+1], out[i+2], out[i+3] = c.R, c.G, c.B, 255
	}
}

// A fileKind is a format this package reads.
type fileKind uint8

const (
	kindJPEG fileKind = iota + 1
	kindPNG
)

func (k fileKind) String() string {
	return [...]string{"an unknown file", "a JPEG", "a PNG"}[k]
}

// pixelsPerByte is the most pixels one byte of a complete file can stand for.
//
// JPEG: every 8x8 block of the first component takes a bit or more in some scan. PNG: deflate
// expands at most 1032 times, at 1 bit a pixel or more.
func (k fileKind) pixelsPerByte() int64 {
	if k == kindJPEG {
		return 8 * 64
	}
	return 8 * 1032
}

const sniffBytes = 512

// foreign are the files most often found under a picture's name.
var foreign = []struct{ magic, name string }{
	{"GIF8", "a GIF; a dead link at Flickr answers with a small \"photo unavailable\" GIF"},
	{"<", "HTML or XML, not a picture; a download was answered by a web page"},
	{"version https://git-lfs", "a Git LFS pointer, not the picture; run git lfs pull"},
	{"II*\x00", "a TIFF"}, {"MM\x00*", "a TIFF"},
	{"BM", "a BMP"},
	{"%PDF", "a PDF"},
	{"PK\x03\x04", "a zip archive"},
	{"\x1f\x8b", "a gzip archive"},
}

// sniff tells the format by the first bytes of a file.
func sniff(head []byte) (fileKind, error) {
	const ask = "; pictures must be JPEG or PNG"
	switch {
	case len(head) == 0:
		return 0, errors.New("the file has zero bytes; download it again")
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return kindJPEG, nil
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		if len(head) < pngHeaderLen {
			return 0, errTruncated
		}
		return kindPNG, nil
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return 0, errors.New("this is a WebP" + ask)
	case len(head) >= 12 && string(head[4:8]) == "ftyp":
		return 0, errors.New("this is a HEIF or AVIF" + ask)
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	for _, f := range foreign {
		if bytes.HasPrefix(text, []byte(f.magic)) {
			return 0, errors.New("this is " + f.name + ask)
		}
	}
	return 0, fmt.Errorf("neither JPEG nor PNG: the file begins with % x", head[:min(8, len(head))])
}
