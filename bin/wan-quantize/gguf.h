/*
** gguf.h: a document written as GGUF, as ComfyUI-GGUF and diffusers read it.
*/
#ifndef WAN_QUANTIZE_GGUF_H
#define WAN_QUANTIZE_GGUF_H

#include "../../common/stream.h"

/* Gives d's entries their places, in the order in which they were added, and writes the header; as
 * writer_header() does for safetensors. Behind the data of each comes gguf_pad(). */
void gguf_header(writer *out, document *d);
void gguf_pad(writer *out, tensor t);

#endif
