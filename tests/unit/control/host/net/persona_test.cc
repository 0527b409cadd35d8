#include "control/host/net/persona.h"

#include <gtest/gtest.h>

namespace lwt::host {
namespace {

using config::PersonaChoice;

TEST(PersonaTest, AutoIsTheRunningKernels) {
  const auto of = [](const char* release) {
    return PersonaOf(PersonaChoice::kAuto, release);
  };
  EXPECT_EQ(of("6.1.0-28-amd64"), Persona::kLinux61);
  EXPECT_EQ(of("6.15.11"), Persona::kLinux61);
  EXPECT_EQ(of("6.16.0"), Persona::kLinux618);
  EXPECT_EQ(of("6.18.44-cloud"), Persona::kLinux618);
  EXPECT_EQ(of("7.0"), Persona::kLinux618);
  EXPECT_EQ(of("5.10.0"), Persona::kLinux61);
  EXPECT_EQ(of(""), Persona::kLinux61);
  EXPECT_EQ(of("7"), Persona::kLinux618);
}

TEST(PersonaTest, AChoiceAsksNoKernel) {
  EXPECT_EQ(PersonaOf(PersonaChoice::kLinux61, "6.18.0"), Persona::kLinux61);
  EXPECT_EQ(PersonaOf(PersonaChoice::kLinux618, "5.10"), Persona::kLinux618);
  EXPECT_EQ(NameOf(Persona::kLinux61), "linux-6.1");
  EXPECT_EQ(NameOf(Persona::kLinux618), "linux-6.18");
}

TEST(PersonaTest, TheRunningKernelHasARelease) {
  EXPECT_NE(KernelRelease().find('.'), std::string::npos);
}

}  // namespace
}  // namespace lwt::host
