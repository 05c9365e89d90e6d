//go:build turbojpeg

package jpeg

// #cgo pkg-config: libturbojpeg
// #include <turbojpeg.h>
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"strings"
	"unsafe"

	"ovbench/datasets/files"
)

// Decoder names what decodes JPEGs. Pixels are those of Pillow built on the same version of the library.
const Decoder = "libjpeg-turbo"

// pixels decodes with libjpeg-turbo's accurate inverse DCT and triangle chroma filter, which are Pillow's settings.
func pixels(data []byte, head header) (image.Image, error) {
	h := C.tjInitDecompress()
	if h == nil {
		return nil, errors.New("libjpeg-turbo: out of memory")
	}
	defer C.tjDestroy(h)
	in, size := (*C.uchar)(unsafe.Pointer(&data[0])), C.ulong(len(data))
	var w, ht, sampling, space C.int
	if C.tjDecompressHeader3(h, in, size, &w, &ht, &sampling, &space) != 0 && (w <= 0 || ht <= 0) {
		return nil, turboError(h) // with a size, the error is that 4:1:0 has no name in this interface, and does not matter
	}
	if int64(w)*int64(ht) > files.MaxPixels {
		return nil, fmt.Errorf("a JPEG of %dx%d pixels, more than the limit of %d", w, ht, files.MaxPixels)
	}
	dst := image.NewNRGBA(image.Rect(0, 0, int(w), int(ht)))
	format := C.int(C.TJPF_RGBA)
	if head.components == 4 {
		format = C.TJPF_CMYK
	}
	out := (*C.uchar)(unsafe.Pointer(&dst.Pix[0]))
	if C.tjDecompress2(h, in, size, out, w, C.int(dst.Stride), ht, format,
		C.TJFLAG_ACCURATEDCT|C.TJFLAG_LIMITSCANS) != 0 {
		if err := turboFault(h, data, dst, head); err != nil {
			return nil, err
		}
	}
	if head.components == 4 {
		turboInk(dst.Pix)
	}
	return dst, nil
}

// turboFault is the error of a decoding that did not end well, nil if it only brought warnings, which Pillow passes
// over too. The library reports an error that follows a warning as a warning, but then the last pixel was not written.
// It invents what is missing at the end of a file, and warns.
func turboFault(h C.tjhandle, data []byte, dst *image.NRGBA, head header) error {
	err := turboError(h)
	whole := head.components != 4 && dst.Pix[len(dst.Pix)-1] == 255
	switch {
	case !bytes.HasSuffix(data, []byte("\xff\xd9")):
		return files.ErrTruncated
	case whole && err != files.ErrTruncated && C.tjGetErrorCode(h) == C.TJERR_WARNING:
		return nil
	}
	return err
}

// turboInk converts four stored channels, taken as inverted inks as fromFour does, in place.
func turboInk(pix []byte) {
	for i := 3; i < len(pix); i += 4 {
		pix[i] = 255 - pix[i]
	}
	inkRow(pix, pix)
}

// turboError is the last error or warning.
func turboError(h C.tjhandle) error {
	text := C.GoString(C.tjGetErrorStr2(h))
	if strings.Contains(strings.ToLower(text), "premature end") {
		return files.ErrTruncated
	}
	return fmt.Errorf("libjpeg-turbo: %s", text)
}
