/*
** tokenizer.cc: sentencepiece as C sees it. The library is C++; nothing else here is.
**
** No exception and no C++ type leaves this file.
*/
#include "tokenizer.h"

#include <sentencepiece_processor.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>

extern "C" {
#include "spiece.h"
}

struct tokenizer {
    sentencepiece::SentencePieceProcessor processor;
};

static std::string message;

static const char *told(const std::string &text)
{
    message = text;
    return message.c_str();
}

const char *tokenizer_open(tokenizer **t, const void *bytes, size_t n)
{
    if (const char *fault = spiece_fault(bytes, n))
        return fault;
    try {
        auto made = std::make_unique<tokenizer>();
        sentencepiece::util::Status status = made->processor.LoadFromSerializedProto(
            absl::string_view(static_cast<const char *>(bytes), n));
        if (!status.ok())
            return told(status.message());
        *t = made.release();
        return nullptr;
    } catch (const std::exception &e) {
        return told(e.what());
    }
}

const char *tokenizer_encode(const tokenizer *t, const char *s, size_t n, int32_t **ids,
                             size_t *count)
{
    try {
        std::vector<int> pieces;
        sentencepiece::util::Status status =
            t->processor.Encode(absl::string_view(s, n), &pieces);
        if (!status.ok())
            return told(status.message());
        *count = pieces.size();
        *ids = static_cast<int32_t *>(std::malloc((*count + 1) * sizeof **ids));
        if (!*ids)
            return told("out of memory");
        for (size_t i = 0; i < *count; i++)
            (*ids)[i] = pieces[i];
        return nullptr;
    } catch (const std::exception &e) {
        return told(e.what());
    }
}

const char *tokenizer_normalize(const tokenizer *t, const char *s, size_t n, char **text,
                                size_t *length)
{
    try {
        std::vector<std::string> pieces;
        sentencepiece::util::Status status =
            t->processor.Encode(absl::string_view(s, n), &pieces);
        if (!status.ok())
            return told(status.message());
        std::string all;
        for (const std::string &piece : pieces)
            all += piece;
        *length = all.size();
        *text = static_cast<char *>(std::malloc(all.size() + 1));
        if (!*text)
            return told("out of memory");
        std::memcpy(*text, all.c_str(), all.size() + 1);
        return nullptr;
    } catch (const std::exception &e) {
        return told(e.what());
    }
}

int32_t tokenizer_end(const tokenizer *t) { return t->processor.eos_id(); }

void tokenizer_close(tokenizer *t) { delete t; }
