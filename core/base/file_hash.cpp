#include "base/file_hash.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/mapped_file.h"

namespace espalier {

void Sha256::Free::operator()(evp_md_ctx_st* context) const noexcept { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
}

void Sha256::update(std::span<const std::byte> bytes) {
    EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

void Sha256::update(std::string_view text) { update(std::as_bytes(std::span(text))); }

std::string Sha256::hex() {
    std::array<unsigned char, 32> digest{};
    EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
    std::string text;
    for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
    return text;
}

std::string sha256_of_file(const std::filesystem::path& path) {
    constexpr std::size_t kPiece = 16U << 20;
    const MappedFile file(path);
    Sha256 hash;
    for (auto rest = file.bytes(); !rest.empty();) {
        const auto piece = rest.first(std::min(rest.size(), kPiece));
        hash.update(piece);
        file.release(piece);
        rest = rest.subspan(piece.size());
    }
    return hash.hex();
}

std::string sha256_of_text(std::string_view text) {
    Sha256 hash;
    hash.update(text);
    return hash.hex();
}

}  // namespace espalier
