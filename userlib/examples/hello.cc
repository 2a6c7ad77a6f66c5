// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * The library from C++: hello PATH publishes one message to itself. A unique_ptr
 * owns the handle. A claim that is not committed at the end of its scope is
 * aborted.
 */
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <weir.h>

namespace {

struct close_weir {
	void operator()(weir *w) const { weir_close(w); }
};

using handle = std::unique_ptr<weir, close_weir>;

void check(int ret, const char *what)
{
	if (ret < 0)
		throw std::runtime_error(std::string(what) + ": " + weir_error());
}

handle open_rdm()
{
	weir *w = nullptr;

	check(weir_open(&w, SOCK_RDM, nullptr), "open");
	return handle(w);
}

class claim {
public:
	claim(weir *w, std::size_t len) : w_(w)
	{
		check(weir_claim_wait(w, len, &buf_, WEIR_FOREVER), "claim");
	}
	~claim()
	{
		if (w_)
			weir_abort(w_, &buf_);
	}
	claim(const claim &) = delete;
	claim &operator=(const claim &) = delete;

	void *data() { return buf_.data; }

	void commit()
	{
		weir_commit(w_, &buf_);
		w_ = nullptr;
	}

private:
	weir *w_;
	weir_buf buf_;
};

} // namespace

int main(int argc, char **argv)
{
	if (argc != 2) {
		std::fprintf(stderr, "usage: hello PATH\n");
		return 2;
	}
	try {
		handle reader = open_rdm(), writer = open_rdm();
		const char text[] = "hello, weir";
		char got[64];

		check(weir_subscribe(reader.get(), argv[1]), "subscribe");
		check(weir_bind(writer.get(), argv[1]), "bind");

		claim message(writer.get(), sizeof(text));
		std::memcpy(message.data(), text, sizeof(text));
		message.commit();

		ssize_t len = weir_recv(reader.get(), got, sizeof(got),
					INT64_C(1000000000));
		check(static_cast<int>(len), "receive");
		std::printf("%.*s\n", static_cast<int>(len), got);
	} catch (const std::exception &e) {
		std::fprintf(stderr, "hello: %s\n", e.what());
		return 1;
	}
	return 0;
}
