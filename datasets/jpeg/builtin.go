//go:build !turbojpeg

package jpeg

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"

	"ovbench/datasets/files"
)

// Decoder names what decodes JPEGs: the decoder of this package, whose pixels are libjpeg-turbo's, or with the build
// tag turbojpeg libjpeg-turbo itself.
const Decoder = "built-in"

// pixels decodes and converts as libjpeg does: chroma goes through the triangle ("fancy") filter that image/jpeg lacks,
// colours through libjpeg's integer tables.
func pixels(data []byte, head header) (image.Image, error) {
	src := read(data)
	if src == nil {
		var err error
		if src, err = rare(data, head); err != nil {
			return nil, err
		}
	}
	dst := image.NewNRGBA(image.Rect(0, 0, src.Bounds().Dx(), src.Bounds().Dy()))
	switch m := src.(type) {
	case *image.Gray, *image.RGBA: // grey, stored as RGB
		return src, nil
	case *image.YCbCr:
		fromYCbCr(dst, m)
	case *image.CMYK:
		fromFour(dst, m, head)
	default:
		return nil, fmt.Errorf("JPEG decoded to %T, which is not handled", src)
	}
	return dst, nil
}

// rare is image/jpeg's picture of a file that read does not know, or its reason why there is none.
func rare(data []byte, head header) (image.Image, error) {
	if head.components == 4 {
		data = head.withoutTransform(data)
	}
	src, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil && !bytes.HasSuffix(data, []byte("\xff\xd9")) { // no end-of-image marker
		return nil, files.ErrTruncated
	}
	if err != nil {
		return nil, files.Explain(err)
	}
	return src, nil
}
