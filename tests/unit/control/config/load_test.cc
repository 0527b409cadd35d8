// Command lines, files, and what they come to together.
#include "control/config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>

namespace lwt::config {
namespace {

absl::StatusOr<CommandLine> Parse(std::vector<const char*> arguments) {
  return ParseCommandLine(arguments);
}

std::string Message(const absl::Status& status) {
  return std::string(status.message());
}

std::string ParseError(std::vector<const char*> arguments) {
  return Message(Parse(std::move(arguments)).status());
}

class LoadTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/lwt-config-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    for (const std::string& file : files_) remove(file.c_str());
    rmdir(folder_.c_str());
  }

  std::string Write(const std::string& name, const std::string& text,
                    mode_t mode = 0600) {
    std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    files_.push_back(path);
    return path;
  }

  // Loads with `flags` after -c of a file of `text`.
  absl::StatusOr<LoadedConfig> Load(const std::string& text,
                                    std::vector<const char*> flags = {},
                                    mode_t mode = 0600) {
    path_ = Write("c.toml", text, mode);
    flags.insert(flags.begin(), {"-c", path_.c_str()});
    auto line = Parse(flags);
    if (!line.ok()) return line.status();
    return LoadConfig(*line);
  }

  std::string LoadError(const std::string& text,
                        std::vector<const char*> flags = {}) {
    return Message(Load(text, std::move(flags)).status());
  }

  std::string folder_;
  std::string path_;
  std::vector<std::string> files_;
};

constexpr char kServer[] =
    "mode = \"server\"\nlocal_addr = \"0.0.0.0:9000\"\n"
    "tunnel_addr = \"10.0.0.1/24\"\nkey = \"file secret\"\n";

constexpr char kClientKey[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

TEST(CommandLineTest, TakesTheReadmeLines) {
  auto server = Parse({"-m", "server", "-l", "0.0.0.0:9000", "-t",
                       "10.0.0.1/24", "-k", "my-secret-password-2024"});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(server->action, Action::kRun);
  auto loaded = LoadConfig(*server);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.hub.local,
            std::vector{*ParseEndpoint("0.0.0.0:9000")});
  EXPECT_EQ(loaded->config.key.text, "my-secret-password-2024");
  EXPECT_TRUE(loaded->warnings.empty());
  auto client = Parse({"-m", "client", "-r", "SERVER:9000", "-t", "10.0.0.2/24",
                       "-k", "my-secret-password-2024"});
  ASSERT_TRUE(client.ok()) << client.status();
  loaded = LoadConfig(*client);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.client.remote, (HostPort{"SERVER", 9000}));
}

TEST(CommandLineTest, TakesValuesWithAndWithoutEqualsSign) {
  auto line = Parse({"--mtu=1400", "-mtu", "1300", "-k", "-dash", "-k=a=b"});
  ASSERT_TRUE(line.ok()) << line.status();
  ASSERT_EQ(line->options.size(), 4u);
  EXPECT_EQ(line->options[0].value, "1400");
  EXPECT_EQ(line->options[1].value, "1300");
  EXPECT_EQ(line->options[2].value, "-dash");
  EXPECT_EQ(line->options[3].value, "a=b");
  EXPECT_EQ(LoadConfig(*line, false)->config.tunnel.mtu,
            1300);  // the last one wins
}

TEST(CommandLineTest, BooleansTakeAnEqualsSignOnly) {
  auto line = Parse({"-retransmit", "-multi-client=false"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->options[0].value, "true");
  EXPECT_EQ(line->options[1].value, "false");
  EXPECT_EQ(ParseError({"-retransmit", "false"}),
            "a boolean takes its value after an equals sign: "
            "-retransmit=false");
  EXPECT_FALSE(LoadConfig(*Parse({"-retransmit=maybe"}), false).ok());
}

TEST(CommandLineTest, ActionsAreKnown) {
  EXPECT_EQ(Parse({"-h"})->action, Action::kHelp);
  EXPECT_EQ(Parse({"--help"})->action, Action::kHelp);
  EXPECT_EQ(Parse({"-help"})->action, Action::kHelp);
  EXPECT_EQ(Parse({"-v", "-h"})->action, Action::kHelp);
  EXPECT_EQ(Parse({"-h", "-v"})->action, Action::kHelp);
  EXPECT_EQ(Parse({"help"})->action, Action::kHelp);
  for (const char* word : {"-v", "-version", "--version", "version"}) {
    EXPECT_EQ(Parse({word})->action, Action::kVersion) << word;
  }
  EXPECT_EQ(Parse({"genkey"})->action, Action::kGenerateKey);
  EXPECT_EQ(Parse({"pubkey"})->action, Action::kPublicKey);
  EXPECT_EQ(Parse({"pubkey", "-c", "f"})->action, Action::kPublicKey);
  EXPECT_EQ(Parse({"pubkey", "-c", "f"})->config_file, "f");
  EXPECT_EQ(Parse({"pubkey", "-h"})->action, Action::kHelp);
  EXPECT_FALSE(Parse({"pubkey", "-check-config"}).ok());
  EXPECT_FALSE(Parse({"pubkey", "office"}).ok());
  EXPECT_EQ(Parse({"-check-config"})->action, Action::kCheckConfig);
  EXPECT_EQ(Parse({"-print-config"})->action, Action::kPrintConfig);
  EXPECT_EQ(Parse({"-preflight"})->action, Action::kPreflight);
  EXPECT_EQ(Parse({"-cleanup"})->action, Action::kCleanup);
  EXPECT_EQ(Parse({"-g", "f"})->action, Action::kWriteConfig);
  EXPECT_EQ(Parse({"-g", "f"})->write_file, "f");
  EXPECT_EQ(Parse({"-c=f"})->config_file, "f");
  EXPECT_EQ(Parse({})->action, Action::kRun);
}

TEST(CommandLineTest, MistakesAreExplained) {
  EXPECT_EQ(ParseError({"-muti-client"}),
            "unknown flag \"-muti-client\" (did you mean -multi-client?)");
  EXPECT_EQ(ParseError({"-key"}),
            "unknown flag \"-key\" (did you mean -k?)");  // no abbreviation
  EXPECT_EQ(ParseError({"-mtu"}), "-mtu needs a value: -mtu BYTES");
  EXPECT_EQ(ParseError({"-c"}), "-c needs a value: -c FILE");
  EXPECT_EQ(ParseError({"-c="}), "-c needs a value: -c FILE");
  EXPECT_EQ(ParseError({"-v=true"}), "-v takes no value");
  EXPECT_EQ(ParseError({"serve"}),
            "unexpected argument \"serve\": every setting is a flag, see -h");
  EXPECT_FALSE(Parse({"-"}).ok());
  EXPECT_FALSE(Parse({"--"}).ok());
  EXPECT_FALSE(Parse({""}).ok());
  EXPECT_FALSE(Parse({"---mtu=1"}).ok());
  EXPECT_FALSE(Parse({"-v", "-cleanup"}).ok());
  EXPECT_FALSE(Parse({"genkey", "x"}).ok());
  EXPECT_FALSE(Parse({"version", "x"}).ok());
  EXPECT_FALSE(Parse({"-g", "f", "-mtu", "1400"}).ok());
}

TEST(CommandLineTest, HideKeyWipesEveryFormAndNothingElse) {
  char a0[] = "prog", a1[] = "-k", a2[] = "secret one", a3[] = "--k=two",
       a4[] = "-key-file", a5[] = "path", a6[] = "-k";
  char* argv[] = {a0, a1, a2, a3, a4, a5, a6, nullptr};
  HideKey(7, argv);
  EXPECT_STREQ(a1, "-k");
  for (char c : std::string_view(a2, sizeof(a2))) EXPECT_EQ(c, '\0');
  EXPECT_STREQ(a3, "--k=");
  EXPECT_EQ(std::memcmp(a3 + 4, "\0\0\0", 3), 0);
  EXPECT_STREQ(a4, "-key-file");
  EXPECT_STREQ(a5, "path");
}

TEST_F(LoadTest, AFlagBeatsTheFile) {
  auto loaded = Load(std::string(kServer) + "mtu = 1300\n",
                     {"-mtu", "1400", "-k", "flag secret"});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.tunnel.mtu, 1400);
  EXPECT_EQ(loaded->config.key.text, "flag secret");
  EXPECT_EQ(loaded->config.mode, Mode::kServer);
}

TEST_F(LoadTest, AKeyFlagReplacesTheOtherFormInTheFile) {
  std::string key_file = Write("key", "from the file\nsecond line\n");
  auto loaded = Load(kServer, {"-key-file", key_file.c_str()});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.key.text, "from the file");
  EXPECT_TRUE(loaded->warnings.empty());
}

TEST_F(LoadTest, BothKeysAreRefused) {
  EXPECT_NE(LoadError(std::string(kServer) + "key_file = \"/k\"\n")
                .find("key and key_file are both given"),
            std::string::npos);
  EXPECT_NE(LoadError(kServer, {"-k", "some secret", "-key-file", "/k"})
                .find("key and key_file are both given"),
            std::string::npos);
}

TEST_F(LoadTest, FaultsOfAFileComeTogetherInItsOrder) {
  std::string error = LoadError(
      "mode = \"sever\"\nmtu = \"1400\"\n  tunel_addr = 1\n"
      "[uplink]\ndriver = 7\ncolour = 1\n[nat]\nk = 1\n");
  EXPECT_EQ(
      error,
      path_ +
          ":1:8: mode: \"sever\" is none of server, client (did you mean "
          "\"server\"?)\n" +
          path_ + ":2:7: mtu must be a whole number without quotes\n" + path_ +
          ":3:3: unknown key \"tunel_addr\" (did you mean \"tunnel_addr\"?)\n" +
          path_ + ":5:10: uplink.driver must be text in quotes\n" + path_ +
          ":6:1: unknown key \"uplink.colour\"\n" + path_ +
          ":7:2: unknown table \"nat\"");
}

TEST_F(LoadTest, ARateIsATextOrANumber) {
  for (const char* value : {"\"50M\"", "50000000"}) {
    const auto loaded = Load(std::string("rate = ") + value + "\n" + kServer,
                             {"-k", "some secret"});
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->config.queues.rate.bits_per_s, 50'000'000u);
  }
  EXPECT_NE(LoadError("rate = true\n").find("a rate in quotes"),
            std::string::npos);
}

TEST_F(LoadTest, AListIsAnArrayOrATextWithCommas) {
  const std::vector<IpPrefix> both = {ParseIpPrefix("10.0.0.1/24").value(),
                                      ParseIpPrefix("fd00::1/64").value()};
  for (const char* text :
       {"tunnel_addr = \"10.0.0.1/24, fd00::1/64\"",
        "tunnel_addr = [\"10.0.0.1/24\", \"fd00::1/64\"]",
        "tunnel_addr = [\n  \"10.0.0.1/24\",\n  \"fd00::1/64\",\n]"}) {
    Config config;
    const absl::Status status = ApplyToml(text, "f", config);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(config.tunnel.addresses, both) << text;
  }
  Config config;
  config.routing.own = both;
  ASSERT_TRUE(ApplyToml("routes = []", "f", config).ok());
  EXPECT_TRUE(config.routing.own.empty());
}

TEST_F(LoadTest, AFaultInAListStandsAtItsElement) {
  EXPECT_EQ(LoadError("tunnel_addr = [\"10.0.0.1/24\", \"10.0.0.0/24\"]\n")
                .find(path_ + ":1:31: tunnel_addr: \"10.0.0.0/24\""),
            0u);
  EXPECT_EQ(LoadError("routes = [1, true]\n"),
            path_ +
                ":1:11: routes must be a list of texts in quotes: [\"…\", "
                "\"…\"]\n" +
                path_ +
                ":1:14: routes must be a list of texts in quotes: [\"…\", "
                "\"…\"]");
  EXPECT_EQ(LoadError("tunnel_addr = [\"10.0.0.1/24\", \"10.1.0.1/24\"]\n"),
            path_ +
                ":1:15: tunnel_addr: 10.0.0.1/24 and 10.1.0.1/24 are of one "
                "family; give one IPv4 and one IPv6 address at most");
}

TEST_F(LoadTest, WhereASettingWasGivenIsKnown) {
  std::string key_file = Write("key", "from the file\n");
  auto loaded =
      Load(std::string(kServer) + "mtu = 1300\n[uplink]\n" +
               "driver = \"af_packet\"\n" + "[[peer]]\npublic_key = \"" +
               kClientKey + "\"\nallowed_ips = [\"10.9.0.0/24\"]\n",
           {"-mtu", "1400", "-key-file", key_file.c_str()});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto origin = [&](const char* key) {
    return std::string(loaded->origins.Of(*FindByToml(key)));
  };
  EXPECT_EQ(origin("mode"), path_ + ":1");
  EXPECT_EQ(origin("mtu"), "-mtu");
  EXPECT_EQ(origin("uplink.driver"), path_ + ":7");
  EXPECT_EQ(origin("peer.allowed_ips"), path_ + ":10");
  EXPECT_EQ(origin("key_file"), "-key-file");
  EXPECT_EQ(origin("key"), key_file);
  EXPECT_EQ(origin("sni"), "");
}

TEST_F(LoadTest, AWrongFlagIsToldFromAWrongFile) {
  EXPECT_TRUE(absl::IsInvalidArgument(Load(kServer, {"-mtu", "x"}).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Load("mtu = \"x\"\n").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Load("mtu = 1400\n").status()));
}

TEST_F(LoadTest, SyntaxFaultsHaveLineAndColumn) {
  std::string error = LoadError("mode = \"server\"\nmtu = = 3\n");
  EXPECT_EQ(error.rfind(path_ + ":2:", 0), 0u) << error;
  error = LoadError("mtu = 1400\nmtu = 1400\n");
  EXPECT_EQ(error.rfind(path_ + ":2:", 0), 0u) << error;
}

TEST_F(LoadTest, TablesAndDottedKeysAreOneThing) {
  Config config;
  ASSERT_TRUE(ApplyToml("uplink.driver = \"af_xdp\"", "f", config).ok());
  EXPECT_EQ(config.uplink.driver, UplinkDriver::kAfXdp);
  EXPECT_FALSE(ApplyToml("\"uplink.driver\" = \"auto\"", "f", config).ok());
  EXPECT_FALSE(ApplyToml("uplink = \"auto\"", "f", config).ok());
  EXPECT_FALSE(ApplyToml("[[uplink]]\ndriver = \"auto\"", "f", config).ok());
  EXPECT_FALSE(ApplyToml("[mtu]\n", "f", config).ok());
}

TEST_F(LoadTest, HostileTomlIsRefusedWhole) {
  std::string deep = "mtu = " + std::string(100000, '[');
  std::string tables = "[" + std::string(20000, 'a');
  for (int i = 0; i < 5000; ++i) tables += ".a";
  for (const std::string& text :
       {deep, tables, std::string("\0", 1), std::string("\xff\xfe"),
        std::string("a = \"\\uD800\""), std::string("a = 1_"),
        std::string("key = '''"), std::string("[uplink"),
        std::string("[\n-o\"d"),
        std::string("mtu = 99999999999999999999999")}) {
    Config config;
    EXPECT_FALSE(ApplyToml(text, "f", config).ok()) << text.substr(0, 20);
  }
}

TEST_F(LoadTest, MessagesAreFitForATerminal) {
  std::string error = LoadError("\"a\\u001b[31m\" = 1\n");
  EXPECT_EQ(error.find('\x1b'), std::string::npos);
}

TEST_F(LoadTest, AnOpenFileWithAKeyIsWarnedOf) {
  auto loaded = Load(kServer, {}, 0644);
  ASSERT_TRUE(loaded.ok());
  ASSERT_EQ(loaded->warnings.size(), 1u);
  EXPECT_EQ(loaded->warnings[0],
            path_ +
                " holds a key and others may read it; close it with: "
                "chmod 600 " +
                path_);
  loaded = Load("mtu = 1400\n",
                {"-m", "server", "-l", "0.0.0.0:1", "-t", "10.0.0.1/24", "-k",
                 "flag secret"},
                0644);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(loaded->warnings.empty());
}

TEST_F(LoadTest, AKeyFileIsCheckedToo) {
  std::string open_file = Write("open", "the secret\r\n", 0640);
  std::string empty = Write("empty", "\n");
  std::string large = Write("large", std::string(5000, 'x'));
  std::string text =
      "mode = \"server\"\nlocal_addr = \"0.0.0.0:9000\"\n"
      "tunnel_addr = \"10.0.0.1/24\"\nkey_file = \"";
  auto loaded = Load(text + open_file + "\"\n");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.key.text, "the secret");
  EXPECT_EQ(loaded->warnings.size(), 1u);
  EXPECT_NE(LoadError(text + empty + "\"\n").find("no key in its first line"),
            std::string::npos);
  EXPECT_NE(LoadError(text + large + "\"\n").find("larger than 4096"),
            std::string::npos);
  EXPECT_NE(LoadError(text + folder_ + "\"\n").find("it is a folder"),
            std::string::npos);
  EXPECT_NE(LoadError(text + "/nowhere/k\"\n").find("No such file"),
            std::string::npos);
}

TEST_F(LoadTest, AMissingFileIsNamed) {
  auto line = Parse({"-c", "/nowhere/c.toml"});
  EXPECT_EQ(Message(LoadConfig(*line).status()),
            "cannot read /nowhere/c.toml: No such file or directory");
}

TEST(FinishTest, EverythingMissingIsSaidAtOnce) {
  std::string error = Message(LoadConfig(*Parse({})).status());
  EXPECT_NE(error.find("mode is missing"), std::string::npos);
  EXPECT_NE(error.find("tunnel_addr is missing"), std::string::npos);
  EXPECT_NE(error.find("lightweight-tunnel genkey"), std::string::npos);
}

struct CrossCase {
  std::vector<const char*> flags;
  const char* error;  // nullptr: good
};

TEST(FinishTest, RelationsAreChecked) {
  const CrossCase cases[] = {
      {{"-m", "server", "-t", "10.0.0.1/24", "-k", "a long key"}, nullptr},
      {{"-m", "client", "-t", "10.0.0.1/24", "-k", "a long key"},
       "needs remote_addr"},
      {{"-m", "server", "-l", "0.0.0.0:1", "-r", "h:1", "-t", "10.0.0.1/24",
        "-k", "a long key"},
       "remote_addr is for clients"},
      {{"-m", "client", "-r", "h:1", "-l", "0.0.0.0:1", "-t", "10.0.0.1/24",
        "-k", "a long key"},
       "local_addr is for hubs"},
      {{"-m", "server", "-l", "0.0.0.0:1", "-t", "10.0.0.1/24", "-k",
        "a long key", "-server-public-key",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
       "server_public_key is for clients"},
      {{"-m", "client", "-r", "h:1", "-t", "10.0.0.1/24", "-k", "a long key",
        "-mtu", "575"},
       "mtu 575 is too small: IPv4"},
      {{"-m", "client", "-r", "h:1", "-t", "10.0.0.1/24", "-k", "a long key",
        "-mtu", "576"},
       nullptr},
      {{"-m", "client", "-r", "h:1", "-t", "fd00::1/64", "-k", "a long key",
        "-mtu", "1279"},
       "mtu 1279 is too small: IPv6"},
      {{"-m", "client", "-r", "h:1", "-t", "fd00::1/64", "-k", "a long key",
        "-mtu", "1280"},
       nullptr},
      {{"-m", "client", "-r", "h:1", "-t", "10.0.0.1/24"},
       "a shared key is missing"},
      {{"-m", "client", "-r", "h:1", "-t", "10.0.0.1/24", "-encryption", "none",
        "-k", "a long key"},
       "takes no key"},
      {{"-m", "client", "-r", "h:1", "-t", "10.0.0.1/24", "-encryption",
        "none"},
       nullptr},
  };
  for (const CrossCase& test : cases) {
    auto loaded = LoadConfig(*Parse(test.flags));
    if (test.error == nullptr) {
      EXPECT_TRUE(loaded.ok()) << loaded.status();
    } else {
      EXPECT_NE(Message(loaded.status()).find(test.error), std::string::npos)
          << test.error << " / " << loaded.status();
    }
  }
}

TEST(FinishTest, AFlagGivenAgainIsOneMorePlaceToListen) {
  const std::vector<const char*> flags = {
      "-m", "server",      "-l", "192.0.2.1:9000", "-l", "[2001:db8::1]:443",
      "-t", "10.0.0.1/24", "-k", "a long key"};
  const auto loaded = LoadConfig(*Parse(flags));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.hub.local,
            (std::vector{*ParseEndpoint("192.0.2.1:9000"),
                         *ParseEndpoint("[2001:db8::1]:443")}));
}

// What the start refuses after a while, the check refuses at once.
TEST(FinishTest, WhatCannotStartIsRefused) {
  const CrossCase cases[] = {
      {{"-k", "abc"}, "3 characters are too few"},
      {{"-k", "lwt1:abc"}, "is not a generated key"},
      {{"-k", "lwt1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
       "checksum of the generated key is wrong"},
      {{"-k", "a long key"}, nullptr},
      {{"-t", "10.0.0.1/32"}, "10.0.0.1/32 leaves no address for a client"},
      {{"-t", "10.0.0.1/24,fd00::1/128"}, "fd00::1/128 leaves no address"},
      {{"-t", "10.0.0.1/31"}, nullptr},
      {{"-t", "fe80::1/64"}, "is link-local"},
      {{"-l", "10.0.0.7:443"}, "lies within the tunnel's own network"},
      {{"-lan-port", "lwt0"}, "tun_name and lan_port are both lwt0"},
  };
  for (const CrossCase& test : cases) {
    std::vector<const char*> flags = {"-m", "server",      "-l", "0.0.0.0:9000",
                                      "-t", "10.0.0.1/24", "-k", "a long key"};
    flags.insert(flags.end(), test.flags.begin(), test.flags.end());
    const absl::Status status = LoadConfig(*Parse(flags)).status();
    if (test.error == nullptr) {
      EXPECT_TRUE(status.ok()) << status;
    } else {
      // Of what a flag says by itself, and of an overlap.
      const std::string_view error = test.error;
      EXPECT_EQ(absl::IsInvalidArgument(status),
                error == "is link-local" || error.starts_with("lies within"))
          << status;
      EXPECT_NE(Message(status).find(test.error), std::string::npos)
          << test.error << " / " << status;
    }
  }
}

class EnvironmentTest : public LoadTest {
 protected:
  absl::StatusOr<LoadedConfig> LoadWith(const std::string& text) {
    path_ = Write("c.toml", text);
    return LoadConfig(*Parse({"-c", path_.c_str()}), true, environment_);
  }
  // A client's, except for the key.
  static std::string Client(const std::string& more) {
    return "mode = \"client\"\nremote_addr = \"h:1\"\n"
           "tunnel_addr = [\"10.0.0.2/24\"]\n" +
           more;
  }

  service::Environment environment_{
      .run_dir = "/run/a", .state_dir = "/var/a", .credentials_dir = {}};
};

TEST_F(EnvironmentTest, StandsWhereNothingWasGiven) {
  environment_.credentials_dir = folder_;
  // Another mode than 0600, since systemd gives access by an ACL.
  Write("key", "credential secret\n", 0640);
  auto loaded = LoadWith(Client(""));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->warnings, std::vector<std::string>());
  EXPECT_EQ(loaded->config.key.text, "credential secret");
  EXPECT_EQ(loaded->config.host.run_dir, "/run/a");
  EXPECT_EQ(loaded->config.host.state_dir, "/var/a");
  EXPECT_EQ(loaded->origins.Of(*FindByToml("state_dir")), "$STATE_DIRECTORY");
}

TEST_F(EnvironmentTest, AnOrdinaryUserHasAllInTheOneFolder) {
  const std::string text =
      Client("key = \"file secret\"\nstate_dir = \"/srv/b\"\n");
  environment_.ordinary_user = true;
  EXPECT_EQ(LoadWith(text)->config.host.run_dir, "/run/a");
  environment_.run_dir.clear();
  EXPECT_EQ(LoadWith(text)->config.host.run_dir, "/srv/b");
  environment_.ordinary_user = false;
  EXPECT_EQ(LoadWith(text)->config.host.run_dir, "");
}

TEST_F(EnvironmentTest, GivesWayToTheFile) {
  environment_.credentials_dir = folder_;
  Write("key", "credential secret\n");
  auto loaded =
      LoadWith(Client("key = \"file secret\"\nstate_dir = \"/srv/b\"\n"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.key.text, "file secret");
  EXPECT_EQ(loaded->config.host.state_dir, "/srv/b");
  loaded = LoadWith(Client("encryption = \"none\"\n"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.key.text, "");
}

TEST_F(EnvironmentTest, WithoutACredentialAKeyIsMissing) {
  environment_.credentials_dir = folder_;
  EXPECT_THAT(Message(LoadWith(Client("")).status()),
              testing::HasSubstr("a shared key is missing"));
}

TEST(FinishTest, ASettingOfTheOtherSideIsWarnedOf) {
  auto loaded =
      LoadConfig(*Parse({"-m", "client", "-r", "h:1", "-t", "10.0.0.2/24", "-k",
                         "flag secret", "-max-clients", "7", "-sni", "a.de"}));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->warnings,
            std::vector<std::string>{"-max-clients: max_clients is for a hub "
                                     "and does nothing on this client"});
  loaded =
      LoadConfig(*Parse({"-m", "server", "-l", "0.0.0.0:1", "-t", "10.0.0.1/24",
                         "-k", "flag secret", "-sni", "a.de"}));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->warnings,
            std::vector<std::string>{
                "-sni: sni is for a client and does nothing on this hub"});
}

TEST(FinishTest, NoEncryptionIsWarnedOf) {
  auto loaded = LoadConfig(*Parse({"-m", "client", "-r", "h:1", "-t",
                                   "10.0.0.1/24", "-encryption", "none"}));
  ASSERT_TRUE(loaded.ok());
  ASSERT_EQ(loaded->warnings.size(), 1u);
  EXPECT_TRUE(loaded->config.key.text.empty());
}

TEST(ConfigTest, TheArenaFollowsTheSide) {
  Config config;
  config.mode = Mode::kServer;
  EXPECT_EQ(config.arena_bytes(), 64u << 20);
  config.mode = Mode::kClient;
  EXPECT_EQ(config.arena_bytes(), 12u << 20);
}

}  // namespace
}  // namespace lwt::config
